"""The engine that start.sh and `auto` choose for a machine: by its GPU, its packages and its languages.

The GPU is a device file in a private mount namespace. Packages are hidden from Python: if `sys.modules` holds
None for a package, the search finds nothing, as if the package were not installed.
"""

import os
import re
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.running import ROOT, START, RunningProgram, RunningStart, free_port, start_environment
from tests.start.test_launchers import refused

NO_GPU_HERE = not any(Path("/dev").glob("nvidia[0-9]*"))
GPU_NODE = str(ROOT / "tests/stand_ins/gpu_node.sh")
HIDE_PACKAGES = """
import sys
sys.modules.update(dict.fromkeys(("paddleocr", "paddlex", "paddle", "onnxruntime")))
"""
# Of the two packages that can run the layout model, only this one is installed for the tests.
WITH_PACKAGES = {"OCR_LAYOUT_ENGINE": "onnxruntime"}
NO_VLLM = {"VLLM_VENV": "/nowhere"}
# vLLM is started, and does not respond yet.
SLOW_VLLM = {"VLLM_COMMAND": "exec sleep 600"}


@cache
def namespace() -> list[str]:
    """Return the command that makes a private mount namespace, as root or as an ordinary user."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        mounting = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(mounting, capture_output=True).returncode == 0:
            return command
    pytest.skip("this machine permits no private mount namespace (unshare --mount)")


class RunningOnGpuNode(RunningProgram):
    """Runs start.sh on a machine that appears to have a GPU. folder: an empty folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        (folder / "dev").mkdir()
        super().__init__(
            [*namespace(), GPU_NODE, str(folder / "dev"), *START],
            **start_environment(OCR_LOG_FORMAT="text", **settings),
        )

    def health(self) -> tuple[str, str]:
        """Return the engine and the state of vLLM."""
        body = self.get("/health").raise_for_status().json()
        return body["engine"], body["vllm"]


def without_packages(folder: Path) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(HIDE_PACKAGES)
    return {"PYTHONPATH": str(folder)}


def lines(start: RunningProgram, pattern: str) -> list[str]:
    return [line for line in start.log if re.search(pattern, line)]


def upload_scan(start: RunningProgram) -> httpx.Response:
    scan = (ROOT / "examples/scan.jpg").read_bytes()
    return httpx.post(f"{start.url}/ocr", files={"file": scan}, timeout=120)


def test_gpu_without_packages_uses_tesseract(tmp_path: Path) -> None:
    with RunningOnGpuNode(tmp_path, **NO_VLLM, **without_packages(tmp_path)) as start:
        assert start.health() == ("tesseract", "disabled")
        assert start.get("/health/vllm").json()["status"] == "disabled"
        answer = upload_scan(start)
        assert answer.status_code == 200 and "Договор поставки" in answer.json()["text"]
        start.wait_for("Open http://")
    assert not lines(start, "WARNING|ERROR")
    (line,) = lines(start, "make run-gpu")
    assert "INFO ocr_service engine: tesseract (a GPU is visible, but" in line
    assert "not installed: paddleocr, paddlex, paddle;" in line
    assert "vLLM is not started: it is not installed in /nowhere" in line


def test_gpu_with_packages_without_vllm_uses_tesseract(tmp_path: Path) -> None:
    with RunningOnGpuNode(tmp_path, **NO_VLLM, **WITH_PACKAGES) as start:
        assert start.health() == ("tesseract", "disabled")
    (line,) = lines(start, "make run-gpu")
    assert "INFO" in line and "packages" not in line
    assert "vLLM is not started: it is not installed in /nowhere" in line


def test_gpu_with_packages_and_vllm_uses_paddleocr_vl(tmp_path: Path) -> None:
    with RunningOnGpuNode(tmp_path, **SLOW_VLLM, **WITH_PACKAGES) as start:
        assert start.health() == ("paddleocr-vl", "starting")
    assert lines(start, r"engine: paddleocr-vl \(a GPU is visible\)")


def test_gpu_with_packages_and_separate_vllm_is_not_ready_until_vllm_runs(tmp_path: Path) -> None:
    with RunningOnGpuNode(tmp_path, VLLM_ENABLED="false", **WITH_PACKAGES) as start:
        assert start.health() == ("paddleocr-vl", "unavailable")
        ready = start.get("/health/ready")
    assert ready.status_code == 503
    assert lines(start, r"engine: paddleocr-vl \(a GPU is visible\)")


def test_vllm_not_installed_is_unavailable_and_not_starting(tmp_path: Path) -> None:
    settings = {"OCR_ENGINE": "paddleocr-vl", **NO_VLLM, **WITH_PACKAGES}
    with RunningOnGpuNode(tmp_path, **settings) as start:
        assert start.health() == ("paddleocr-vl", "unavailable")
        start.wait_for("vLLM at .* is unavailable: .*refused")
        assert start.health() == ("paddleocr-vl", "unavailable")
        vllm = start.get("/health/vllm")
        ready = start.get("/health/ready").json()
    assert vllm.status_code == 503
    assert vllm.json()["error"].endswith("it is not started here: it is not installed in /nowhere")
    assert "is not available" in ready["reasons"][0]
    assert "WARNING start.sh vLLM is not started" in start.log[0]


def test_paddleocr_vl_without_its_packages_returns_the_reason(tmp_path: Path) -> None:
    settings = {"OCR_ENGINE": "paddleocr-vl", **SLOW_VLLM, **without_packages(tmp_path)}
    with RunningOnGpuNode(tmp_path, **settings) as start:
        answer = upload_scan(start)
    assert answer.status_code == 503
    assert "not installed" in answer.json()["detail"]


def test_vlm_url_without_packages_uses_tesseract_with_a_warning(tmp_path: Path) -> None:
    address = {"OCR_VLM_URL": "http://127.0.0.1:9/v1", "OCR_LOG_FORMAT": "text"}
    with RunningStart(**address, **without_packages(tmp_path)) as start:
        assert start.get("/health").json()["engine"] == "tesseract"
    (line,) = lines(start, "make run-gpu")
    assert "WARNING ocr_service engine: tesseract (OCR_VLM_URL is set, but" in line


@pytest.mark.skipif(not NO_GPU_HERE, reason="a GPU is visible here")
def test_start_without_a_gpu_logs_no_warning_and_ends_with_the_url() -> None:
    with RunningStart(OCR_LOG_FORMAT="text") as start:
        start.wait_for(f"Open {start.url}/ in a browser")
        at_start = list(start.log)
        answer = start.get("/")
        health = start.get("/health").json()
    assert not lines(start, "WARNING|ERROR|CRITICAL")
    assert "INFO start.sh vLLM is not started: no GPU is visible" in at_start[0]
    assert f"curl -F file=@examples/scan.jpg {start.url}/ocr\n" in at_start[-1]
    assert (answer.status_code, answer.headers["location"]) == (307, "ui/")
    assert (health["status"], health["vllm"], health["paddleocr"]) == (
        "healthy",
        "disabled",
        "not_initialized",
    )


def first_line(**settings: str) -> str:
    """Run start.sh, and kill it after its first line, which comes before the start of the service."""
    environment = {**os.environ, **start_environment(OCR_LOG_FORMAT="text", **settings)}
    with subprocess.Popen(START, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as start:
        assert start.stderr
        line = start.stderr.readline()
        start.kill()
    return line


@pytest.mark.parametrize(
    ("settings", "level", "reason"),
    [
        ({"VLLM_ENABLED": "true", **NO_VLLM}, "WARNING", "it is not installed in /nowhere"),
        ({"VLLM_ENABLED": "false"}, "INFO", "VLLM_ENABLED=false"),
        ({"OCR_VLM_URL": "http://127.0.0.1:9/v1"}, "INFO", "OCR_VLM_URL names an existing server"),
        ({"OCR_ENGINE": "paddleocr-vl", **NO_VLLM}, "WARNING", ""),
        ({"OCR_ENGINE": "paddleocr-vl", "VLLM_ENABLED": "false"}, "INFO", "VLLM_ENABLED=false"),
        ({"OCR_ENGINE": "paddleocr-vl", "OCR_VLM_URL": "http://127.0.0.1:9/v1"}, "INFO", "OCR_VLM_URL names"),
        ({"OCR_ENGINE": "tesseract"}, "INFO", "OCR_ENGINE=tesseract does not use it"),
    ],
    ids=str,
)
def test_vllm_not_started_is_a_warning_only_if_it_was_requested(
    settings: dict[str, str], level: str, reason: str
) -> None:
    assert f" {level} start.sh vLLM is not started: {reason}" in first_line(**settings)


def test_remote_vllm_that_does_not_respond_yet_is_starting() -> None:
    settings = {"OCR_ENGINE": "paddleocr-vl", "OCR_VLM_URL": "http://127.0.0.1:9/v1"}
    with RunningStart(**settings) as start:
        assert start.get("/health").json()["vllm"] == "starting"


def test_last_line_of_the_start_matches_the_settings() -> None:
    """It has an address that a client can use, no page without the documentation, and the header of a key."""
    settings = {"UVICORN_HOST": "0.0.0.0", "OCR_DOCS": "false", "OCR_API_KEYS": "some-key"}
    with RunningStart(OCR_ENGINE="tesseract", **settings) as start:
        start.wait_for(r"Try: curl -H 'X-API-Key: KEY' -F file=@\S+ http://localhost:\d+/ocr")


def test_service_listens_on_ipv4_and_ipv6_and_is_healthy() -> None:
    settings = {"UVICORN_HOST": "::", "UVICORN_PORT": str(free_port()), "OCR_ENGINE": "tesseract"}
    with RunningStart(**settings) as start:
        port = settings["UVICORN_PORT"]
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{port}/health", timeout=120).status_code == 200
        check = [sys.executable, "-m", "ocr_service.container.healthcheck"]
        assert subprocess.run(check, cwd=ROOT, env={**os.environ, **settings}).returncode == 0
        start.wait_for(rf"Open http://localhost:{port}/ in a browser")


def test_port_in_use_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        log = refused(UVICORN_HOST="127.0.0.1", UVICORN_PORT=str(port), OCR_LOG_FORMAT="text")
    assert re.search(rf"ERROR uvicorn\.error .*{port}\): address already in use", log)
    assert "Traceback" not in log


def test_missing_language_stops_the_start() -> None:
    line = refused(OCR_ENGINE="tesseract", OCR_LANG="rus+tlh", OCR_LOG_FORMAT="text")
    assert re.search(r"CRITICAL .*OCR_LANG: Not installed: tlh\. Installed: .*eng, .*rus", line)


def test_missing_language_data_stops_the_start(tmp_path: Path) -> None:
    line = refused(OCR_ENGINE="tesseract", OCR_TESSDATA_DIR=str(tmp_path), OCR_LOG_FORMAT="text")
    assert re.search(r"CRITICAL .*OCR_TESSDATA_DIR: There is no Tesseract language data in ", line)


def test_tesseract_language_is_ignored_by_another_engine() -> None:
    with RunningStart(OCR_ENGINE="paddleocr-vl", OCR_LANG="tlh") as start:
        assert start.get("/health").status_code == 200
