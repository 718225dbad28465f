"""The command that starts vLLM, checked with stand-ins that print their arguments."""

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

PRINT_ARGUMENTS = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@"
[[ " $* " != *" /dev/stdin "* ]] || sed 's/^/config: /'
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment with `vllm` only."""
    (tmp_path / "bin").mkdir()
    program(tmp_path, "vllm", PRINT_ARGUMENTS)
    return tmp_path


def program(venv: Path, name: str, script: str) -> None:
    path = venv / "bin" / name
    path.write_text(script)
    path.chmod(0o755)


def with_paddlex(venv: Path, can_start: bool) -> None:
    """Add the launcher of PaddleX, and a Python that reports whether the launcher can start."""
    program(venv, "paddlex_genai_server", PRINT_ARGUMENTS)
    program(venv, "python", f"#!/bin/sh\nexit {0 if can_start else 1}\n")


def with_real_paddlex(venv: Path) -> None:
    """Add the launcher of PaddleX, and a Python that has PaddleX without its vLLM plugin."""
    program(venv, "paddlex_genai_server", PRINT_ARGUMENTS)
    program(venv, "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def run_start_vllm(venv: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(venv), "VLLM_VENV": str(venv), **settings}
    return subprocess.run(["./start.sh", "vllm"], cwd=ROOT, env=environment, capture_output=True, text=True)


def launched(venv: Path, **settings: str) -> list[str]:
    """Run `start.sh vllm`; return the command and the lines of its configuration."""
    run = run_start_vllm(venv, **settings)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def refused(**settings: str) -> str:
    """Run start.sh with settings that it must refuse; return its error output."""
    environment = {**os.environ, **start_environment(**settings)}
    run = subprocess.run(START, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    # 3 is uvicorn's own.
    assert run.returncode in (1, 3)
    return run.stderr


def test_vllm_command_follows_the_recipe_and_serves_the_name_that_paddlex_requests(venv: Path) -> None:
    recipe = """vllm serve PaddlePaddle/PaddleOCR-VL-1.6 --served-model-name PaddleOCR-VL-1.6-0.9B
        --host 127.0.0.1 --port 8080 --trust-remote-code --gpu-memory-utilization 0.5 --max-model-len 16384
        --max-num-batched-tokens 16384 --no-enable-prefix-caching --mm-processor-cache-gb 0
        --disable-uvicorn-access-log"""
    assert launched(venv) == shlex.split(recipe)


def test_settings_are_passed_to_vllm(venv: Path) -> None:
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
def test_model_matches_the_pipeline_version(venv: Path, version: str, repository: str, served: str) -> None:
    command = launched(venv, OCR_PIPELINE_VERSION=version)
    assert command[2] == repository and command[command.index("--served-model-name") + 1] == served


def test_existing_weights_are_not_downloaded(venv: Path) -> None:
    weights = venv / "cache/official_models/PaddleOCR-VL-1.6"
    weights.mkdir(parents=True)
    assert launched(venv, PADDLE_PDX_CACHE_HOME=str(venv / "cache"))[2] == str(weights)


def test_paddlex_launcher_is_used_if_it_can_start(venv: Path) -> None:
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


def test_vllm_is_started_directly_if_paddlex_launcher_cannot_start(venv: Path) -> None:
    with_paddlex(venv, can_start=False)
    assert launched(venv)[:2] == ["vllm", "serve"]


def test_real_paddlex_without_its_plugin_is_not_used(venv: Path) -> None:
    with_real_paddlex(venv)
    run = run_start_vllm(venv)
    assert run.stdout.splitlines()[:2] == ["vllm", "serve"]
    assert "Traceback" not in run.stderr


def test_telemetry_and_hub_lookups_are_disabled(venv: Path) -> None:
    program(venv, "vllm", "#!/bin/sh\nenv\n")
    (venv / ".paddlex/official_models/PaddleOCR-VL-1.6").mkdir(parents=True)
    variables = set(launched(venv))
    assert {
        "DO_NOT_TRACK=1",
        "HF_HUB_DISABLE_TELEMETRY=1",
        "HF_HUB_OFFLINE=1",
        "VLLM_HOST_IP=127.0.0.1",
    } <= variables
    assert f"PATH={venv}/bin:/usr/bin:/bin" in variables


def test_relative_venv_path_is_resolved_against_the_project_folder(venv: Path) -> None:
    program(venv, "vllm", "#!/bin/sh\necho $PATH\n")
    relative = os.path.relpath(venv, ROOT)
    assert launched(venv, VLLM_VENV=relative) == [f"{ROOT}/{relative}/bin:/usr/bin:/bin"]


@pytest.mark.parametrize("wrong", ["'unclosed", "$(", "a)"])
def test_invalid_extra_arguments_are_an_error(venv: Path, wrong: str) -> None:
    run = run_start_vllm(venv, VLLM_EXTRA_ARGS=wrong)
    assert run.returncode == 1 and run.stdout == ""
    assert "VLLM_EXTRA_ARGS is not valid shell syntax" in run.stderr


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("""printf '%s|' "$VLLM_SERVER_PORT" 'two words'""", "8080|two words|"),
        ("COLOR=red env | grep COLOR", "COLOR=red"),
        ("cd / && pwd; echo twice", "/\ntwice"),
    ],
)
def test_custom_command_is_run_by_the_shell(venv: Path, command: str, output: str) -> None:
    assert "\n".join(launched(venv, VLLM_COMMAND=command)) == output


def test_variables_of_kubernetes_services_are_no_settings(venv: Path) -> None:
    links = {
        "VLLM_SERVER_PORT": "tcp://10.0.0.1:8080",
        "VLLM_SERVER_PORT_8080_TCP_ADDR": "10.0.0.1",
        "VLLM_SERVER_SERVICE_HOST": "10.0.0.1",
        "VLLM_PORT": "tcp://10.0.0.2:8000",
        "VLLM_SERVICE_PORT_HTTP": "8000",
        "UVICORN_PORT": "udp://10.0.0.3:80",
        "OCR_PORT": "tcp://10.0.0.4:80",
    }
    settings = {"VLLM_SERVER_HOST": "0.0.0.0", "VLLM_LOGGING_LEVEL": "INFO"}
    variables = set(launched(venv, VLLM_COMMAND="env", **links, **settings))
    assert not variables & {f"{name}={value}" for name, value in links.items()}
    given = {f"{name}={value}" for name, value in settings.items()}
    assert {"VLLM_SERVER_PORT=8080", "UVICORN_PORT=8081", *given} <= variables
    assert not any(line.startswith(("VLLM_PORT", "VLLM_SERVICE", "VLLM_SERVER_S")) for line in variables)


@pytest.mark.parametrize(
    ("settings", "restarts"),
    [
        ({}, True),
        ({"OCR_VLM_URL": "http://127.0.0.1:8080/v1"}, True),
        ({"OCR_VLM_URL": "http://10.0.0.1:8080/v1"}, False),
        ({"VLLM_HANG_TIMEOUT": "0"}, False),
    ],
    ids=str,
)
def test_only_the_vllm_of_start_sh_is_restarted(venv: Path, settings: dict[str, str], restarts: bool) -> None:
    program(venv, "python3", "#!/bin/sh\nenv\n")
    environment = {"PATH": f"{venv}/bin:/usr/bin:/bin", "VLLM_ENABLED": "true", "VLLM_VENV": str(venv)}
    run = subprocess.run(
        START, cwd=ROOT, env=environment | settings, capture_output=True, text=True, check=True
    )
    assert ("OCR_VLM_RESTART_TIMEOUT=180" in run.stdout) is restarts
    assert ("OCR_VLM_SUPERVISOR=" in run.stdout) is restarts


def test_invalid_custom_command_starts_nothing(venv: Path) -> None:
    run = run_start_vllm(venv, VLLM_COMMAND="'unclosed")
    assert run.returncode != 0 and run.stdout == ""


def test_vllm_without_the_service_finds_the_models(venv: Path) -> None:
    weights = venv / "models/PaddleOCR-VL-1.6"
    weights.mkdir(parents=True)
    cache = venv / "cache"
    command = launched(venv, MODELS_DIR=str(weights.parent), PADDLE_PDX_CACHE_HOME=str(cache))
    assert command[:3] == ["vllm", "serve", f"{cache}/official_models/PaddleOCR-VL-1.6"]
    assert "there is no folder" in run_start_vllm(venv, MODELS_DIR=str(venv / "nowhere")).stderr


def test_invalid_models_dir_stops_the_start(venv: Path) -> None:
    models, cache = venv / "models", venv / "cache"
    assert "there is no folder" in refused(MODELS_DIR=str(models), PADDLE_PDX_CACHE_HOME=str(cache))
    models.mkdir()
    (cache / "official_models/of-old").mkdir(parents=True)
    assert "cannot make" in refused(MODELS_DIR=str(models), PADDLE_PDX_CACHE_HOME=str(cache))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("VLLM_ENABLED", "yes"),
        ("VLLM_STOP_TIMEOUT", "10s"),
        ("VLLM_STOP_TIMEOUT", "-1"),
        ("VLLM_HANG_TIMEOUT", "never"),
        ("UVICORN_PORT", "http"),
        ("UVICORN_PORT", "65536"),
    ],
)
def test_invalid_setting_stops_the_start_and_is_named(setting: str, value: str) -> None:
    (line,) = refused(**{setting: value}).splitlines()
    record = json.loads(line)
    assert record["level"] == "ERROR" and record["message"].startswith(f"{setting} must be")


SAY = ["bash", "-c", "source <(sed -n '/^log()/,/^}/p' start.sh); log WARNING \"$1\"", "bash"]
ODD = 'a "quoted" \\ path\nand\tpapka — папка \x1b[1m\x7f \\u0041 ${HOME} $(date) %s'


def logged(form: str, **environment: str) -> str:
    clean = {"PATH": os.environ["PATH"], "OCR_LOG_FORMAT": form, **environment}
    run = subprocess.run([*SAY, ODD], cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
    assert run.stdout == ""
    return run.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_script_logs_json_like_the_service(locale: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    (line,) = logged("json", LC_ALL=locale, TZ="Asia/Tokyo").splitlines()
    record = json.loads(line)
    assert list(record) == ["time", "level", "logger", "message"]
    assert (record["level"], record["logger"]) == ("WARNING", "start.sh")
    assert record["message"] == re.sub(r"[\x00-\x1f\x7f]", " ", ODD)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    assert before <= datetime.fromisoformat(record["time"]) <= datetime.now(UTC)


def test_script_logs_text_if_the_service_does() -> None:
    (line,) = logged("text").splitlines()
    assert re.match(r"\S+Z WARNING start.sh a \"quoted\" \\ path and papka — папка", line)
