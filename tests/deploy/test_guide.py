"""The guides are correct: their commands run, and their tables match the code, in both languages."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from ocr_service import __version__
from tests.deploy.test_manifests import DEPLOY, KUBECTL, PROBE_FIELDS, PROBES, RESOURCES
from tests.running import ROOT, RunningService

ENGLISH = (DEPLOY / "README.md").read_text()
RUSSIAN = (DEPLOY / "README.ru.md").read_text()

# Blocks with the first mark are not run; `make image-check` runs the ones with the second.
MARKS = ("# needs the cloud\n", "# needs Docker\n")

# Log lines of PaddleOCR, vLLM, uvicorn and the system.
EXTERNAL_LINES = {
    "Uvicorn running on http://0.0.0.0:8081",
    "Failed to infer device type",
    "CUDA out of memory",
    "failed to map segment from shared object",
    "ImportError: libcuda.so.1",
    "ImportError: torch",
}


def blocks(guide: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


def tables(guide: str) -> Iterator[list[list[str]]]:
    """Yield the rows of each table, without its header."""
    for table in re.findall(r"(?:^\|.*\n)+", guide, re.MULTILINE):
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def in_code(row: list[str]) -> list[str]:
    """Return the code in a row, sorted, as its order depends on the language."""
    return sorted(re.findall("`[^`]+`", " ".join(row)))


def table_with(text: str) -> list[list[str]]:
    (table,) = [rows for rows in tables(ENGLISH) if any(row[0] == text for row in rows)]
    return table


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with RunningService() as running:
        yield running


@pytest.mark.parametrize("block", [each for each in blocks(ENGLISH) if not each.startswith(MARKS)])
def test_commands_run(service: RunningService, block: str) -> None:
    command = block.replace("http://localhost:8081", service.url)
    environment = {**os.environ, "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_only_blocks_that_need_the_cloud_are_marked_so() -> None:
    cloud_command = (
        r"kubectl (apply|create|rollout|get|logs)|compose|push\.sh$|ML_ENDPOINT|docker build .*:latest \.$"
    )
    for block in blocks(ENGLISH):
        if block.startswith("# needs the cloud"):
            assert re.search(cloud_command, block, re.MULTILINE), block


def test_build_arguments_match_the_dockerfile() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    table = {row[0]: row[1] for row in table_with("`BAKE_MODELS`")}
    assert {name for cell in table for name in re.findall(r"`(\w+)`", cell)} == set(arguments)
    for cell, shown in table.items():
        if "`" in shown:
            names = re.findall(r"`(\w+)`", cell)
            assert re.findall(r"`([^`]+)`", shown) == [arguments[name] for name in names]


def test_probes_and_resources_match_the_manifests() -> None:
    shown = {
        row[0]: tuple(int(re.sub(r"\D", "", cell)) for cell in row[1:5]) for row in table_with("startup")
    }
    assert {f"{probe}Probe" for probe in shown} == {probe for _, probe in PROBES}
    for probe, numbers in shown.items():
        assert numbers == PROBES["gpu", f"{probe}Probe"][: len(PROBE_FIELDS) - 1]
    for target in RESOURCES:
        (row,) = [
            row for rows in tables(ENGLISH) for row in rows if row[0] == f"`{target}`" and "GiB" in row[1]
        ]
        for cell, kind in zip(row[1:], ("requests", "limits"), strict=True):
            resources = RESOURCES[target][kind]
            assert cell.startswith(f"{resources['cpu']} CPU, {resources['memory'].removesuffix('Gi')} GiB")


def test_log_lines_match_the_code() -> None:
    sources = [ROOT / "start.sh", ROOT / "server.py", *(ROOT / "ocr_service").rglob("*.py")]
    code = "".join(path.read_text() for path in sources)
    lines = {row[0].strip("`") for row in table_with("`vLLM exited after`")}
    assert lines > EXTERNAL_LINES
    for line in lines - EXTERNAL_LINES:
        for part in re.split(r": |8081|/opt/vllm|PaddleOCR-VL ?", line):
            assert part in code, line


@pytest.mark.parametrize("guide", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_variables_of_the_scripts_are_documented(guide: str) -> None:
    needed = re.findall(r"^need (\w+)", (DEPLOY / "push.sh").read_text(), re.MULTILINE)
    read = re.findall(
        r"\$\{([A-Z_]+):-", (DEPLOY / "push.sh").read_text() + (DEPLOY / "smoke.sh").read_text()
    )
    for name in {*needed, *read} - {"DOCKER_HOST"}:
        assert name in guide


def test_version_is_current() -> None:
    assert f"\nARG VERSION={__version__}\n" in (ROOT / "Dockerfile").read_text()
    assert f"paddleocr-vl-service:{__version__}`" in ENGLISH


def test_russian_guide_has_the_same_commands_and_tables() -> None:
    assert blocks(RUSSIAN) == blocks(ENGLISH)
    english, russian = list(tables(ENGLISH)), list(tables(RUSSIAN))
    assert [len(rows) for rows in russian] == [len(rows) for rows in english]
    for ours, theirs in zip(english, russian, strict=True):
        for row, translated in zip(ours, theirs, strict=True):
            assert in_code(translated) == in_code(row)
