"""By which command vLLM is started, seen through stand-ins that print what they are given."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.running import ROOT, START, start_environment

PRINT_WHAT_IS_GIVEN = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@"
[[ " $* " != *" /dev/stdin "* ]] || sed 's/^/config: /'
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with `vllm` alone."""
    (tmp_path / "bin").mkdir()
    program(tmp_path, "vllm", PRINT_WHAT_IS_GIVEN)
    return tmp_path


def program(venv: Path, name: str, script: str) -> None:
    path = venv / "bin" / name
    path.write_text(script)
    path.chmod(0o755)


def with_paddlex(venv: Path, can_start: bool) -> None:
    """Add PaddleX's launcher, and a Python that tells whether it can start."""
    program(venv, "paddlex_genai_server", PRINT_WHAT_IS_GIVEN)
    program(venv, "python", f"#!/bin/sh\nexit {0 if can_start else 1}\n")


def with_real_paddlex(venv: Path) -> None:
    """Add PaddleX's launcher, and a Python that has PaddleX, but not what it starts vLLM with."""
    program(venv, "paddlex_genai_server", PRINT_WHAT_IS_GIVEN)
    program(venv, "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def become_vllm(venv: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(venv), "VLLM_VENV": str(venv), **settings}
    return subprocess.run(["./start.sh", "vllm"], cwd=ROOT, env=environment, capture_output=True, text=True)


def launched(venv: Path, **settings: str) -> list[str]:
    """Become vLLM; return the command, and the lines of its configuration."""
    run = become_vllm(venv, **settings)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def refused(**settings: str) -> str:
    """Run start.sh with what it cannot start with; return what it says."""
    environment = {**os.environ, **start_environment(**settings)}
    run = subprocess.run(START, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    return run.stderr


def test_vllm_serves_the_model_as_its_recipe_says_under_the_name_that_paddlex_asks_for(venv: Path) -> None:
    recipe = """vllm serve PaddlePaddle/PaddleOCR-VL-1.6 --served-model-name PaddleOCR-VL-1.6-0.9B
        --host 127.0.0.1 --port 8080 --trust-remote-code --gpu-memory-utilization 0.5 --max-model-len 16384
        --max-num-batched-tokens 16384 --no-enable-prefix-caching --mm-processor-cache-gb 0
        --disable-uvicorn-access-log"""
    assert launched(venv) == shlex.split(recipe)


def test_settings_go_to_vllm(venv: Path) -> None:
    settings = {
        "VLLM_SERVER_HOST": "0.0.0.0",
        "VLLM_SERVER_PORT": "9000",
        "VLLM_GPU_MEMORY_UTILIZATION": "0.8",
        "VLLM_MAX_MODEL_LEN": "8192",
        "VLLM_MODEL": "/models/mine",
        "VLLM_EXTRA_ARGS": """--enforce-eager --limit-mm-per-prompt '{"image": 1}'""",
    }
    command = launched(venv, **settings)
    assert command[2] == "/models/mine"
    for pair in ("--host 0.0.0.0", "--port 9000", "--gpu-memory-utilization 0.8", "--max-model-len 8192"):
        name, value = pair.split()
        assert command[command.index(name) + 1] == value
    assert command[-3:] == ["--enforce-eager", "--limit-mm-per-prompt", '{"image": 1}']


@pytest.mark.parametrize(
    ("version", "repository", "served"),
    [
        ("v1", "PaddlePaddle/PaddleOCR-VL", "PaddleOCR-VL-0.9B"),
        ("v1.5", "PaddlePaddle/PaddleOCR-VL-1.5", "PaddleOCR-VL-1.5-0.9B"),
    ],
)
def test_model_is_that_of_the_pipeline(venv: Path, version: str, repository: str, served: str) -> None:
    command = launched(venv, OCR_PIPELINE_VERSION=version)
    assert command[2] == repository and command[command.index("--served-model-name") + 1] == served


def test_weights_that_are_there_are_not_downloaded(venv: Path) -> None:
    weights = venv / "cache/official_models/PaddleOCR-VL-1.6"
    weights.mkdir(parents=True)
    assert launched(venv, PADDLE_PDX_CACHE_HOME=str(venv / "cache"))[2] == str(weights)


def test_paddlex_launcher_is_chosen_where_it_can_start(venv: Path) -> None:
    with_paddlex(venv, can_start=True)
    assert launched(venv) == [
        *shlex.split("paddlex_genai_server --model_name PaddleOCR-VL-1.6-0.9B --backend vllm"),
        *shlex.split("--host 127.0.0.1 --port 8080 --backend_config /dev/stdin"),
        "config: gpu-memory-utilization: 0.5",
        "config: max-model-len: 16384",
    ]


def test_paddlex_launcher_gets_extra_arguments_in_its_configuration(venv: Path) -> None:
    with_paddlex(venv, can_start=True)
    extra = """--enforce-eager --max-num-seqs 64 --limit-mm-per-prompt='{"image": 1}'"""
    command = launched(venv, VLLM_EXTRA_ARGS=extra, VLLM_MODEL="/models/mine")
    assert command[command.index("--model_dir") + 1] == "/models/mine"
    assert command[-3:] == [
        "config: enforce-eager: true",
        "config: max-num-seqs: '64'",
        """config: limit-mm-per-prompt: '{"image": 1}'""",
    ]


def test_vllm_itself_where_paddlex_launcher_would_give_up(venv: Path) -> None:
    with_paddlex(venv, can_start=False)
    assert launched(venv)[:2] == ["vllm", "serve"]


def test_paddlex_itself_is_asked_whether_it_can_start(venv: Path) -> None:
    with_real_paddlex(venv)
    run = become_vllm(venv)
    assert run.stdout.splitlines()[:2] == ["vllm", "serve"]
    assert "Traceback" not in run.stderr


def test_nothing_calls_home_nor_looks_for_what_is_there(venv: Path) -> None:
    program(venv, "vllm", "#!/bin/sh\nenv\n")
    (venv / ".paddlex/official_models/PaddleOCR-VL-1.6").mkdir(parents=True)
    told = set(launched(venv))
    assert {
        "DO_NOT_TRACK=1",
        "HF_HUB_DISABLE_TELEMETRY=1",
        "HF_HUB_OFFLINE=1",
        "VLLM_HOST_IP=127.0.0.1",
    } <= told
    assert f"PATH={venv}/bin:/usr/bin:/bin" in told


def test_relative_environment_is_one_of_the_projects_folder(venv: Path) -> None:
    program(venv, "vllm", "#!/bin/sh\necho $PATH\n")
    relative = os.path.relpath(venv, ROOT)
    assert launched(venv, VLLM_VENV=relative) == [f"{ROOT}/{relative}/bin:/usr/bin:/bin"]


@pytest.mark.parametrize("wrong", ["'unclosed", "$(", "a)"])
def test_extra_arguments_that_cannot_be_understood_are_not_left_out(venv: Path, wrong: str) -> None:
    run = become_vllm(venv, VLLM_EXTRA_ARGS=wrong)
    assert run.returncode == 1 and run.stdout == ""
    assert "VLLM_EXTRA_ARGS is not valid shell syntax" in run.stderr


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("""printf '%s|' "$VLLM_SERVER_PORT" 'two words'""", "8080|two words|"),
        ("WHO=me env | grep WHO", "WHO=me"),
        ("cd / && pwd; echo twice", "/\ntwice"),
    ],
)
def test_a_command_of_ones_own_is_a_line_of_shell(venv: Path, command: str, output: str) -> None:
    assert "\n".join(launched(venv, VLLM_COMMAND=command)) == output


def test_a_wrong_command_of_ones_own_starts_nothing_else(venv: Path) -> None:
    run = become_vllm(venv, VLLM_COMMAND="'unclosed")
    assert run.returncode != 0 and run.stdout == ""


def test_models_dir_is_where_paddlex_looks_and_does_not_write(venv: Path) -> None:
    models, cache = venv / "models", venv / "cache"
    assert "there is no folder" in refused(MODELS_DIR=str(models), PADDLE_PDX_CACHE_HOME=str(cache))
    models.mkdir()
    (cache / "official_models/of-old").mkdir(parents=True)
    assert "cannot make" in refused(MODELS_DIR=str(models), PADDLE_PDX_CACHE_HOME=str(cache))


@pytest.mark.parametrize(
    ("setting", "value"), [("VLLM_ENABLED", "yes"), ("VLLM_STOP_TIMEOUT", "10s"), ("VLLM_STOP_TIMEOUT", "-1")]
)
def test_wrong_value_stops_the_start_by_its_name(setting: str, value: str) -> None:
    (line,) = refused(**{setting: value}).splitlines()
    told = json.loads(line)
    assert told["level"] == "ERROR" and told["message"].startswith(f"{setting} must be")


SAY = ["bash", "-c", "source <(sed -n '/^log()/,/^}/p' start.sh); log WARNING \"$1\"", "bash"]
ODD = 'a "quoted" \\ path\nand\tpapka — папка \x1b[1m\x7f \\u0041 ${HOME} $(date) %s'


def said(form: str, **environment: str) -> str:
    clean = {"PATH": os.environ["PATH"], "OCR_LOG_FORMAT": form, **environment}
    run = subprocess.run([*SAY, ODD], cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
    assert run.stdout == ""
    return run.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_scripts_own_lines_have_the_form_of_the_services(locale: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    (line,) = said("json", LC_ALL=locale, TZ="Asia/Tokyo").splitlines()
    told = json.loads(line)
    assert list(told) == ["time", "level", "logger", "message"]
    assert (told["level"], told["logger"]) == ("WARNING", "start.sh")
    assert told["message"] == re.sub(r"[\x00-\x1f\x7f]", " ", ODD)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])
    assert before <= datetime.fromisoformat(told["time"]) <= datetime.now(UTC)


def test_scripts_own_lines_are_text_where_the_services_are() -> None:
    (line,) = said("text").splitlines()
    assert re.match(r"\S+Z WARNING start.sh a \"quoted\" \\ path and papka — папка", line)
