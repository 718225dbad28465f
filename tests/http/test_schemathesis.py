"""The API tested against its OpenAPI document with valid and invalid requests."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import ROOT, RunningProgram

SERVICE = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]
CONFIG = Path(__file__).with_name("schemathesis.toml")

KEY = "a-key-for-the-tests"
# Random requests for each operation. They are the same in every run, so a higher number finds more, once. All
# requests at the limits of the fields are sent in any case, to the service with keys.
EXAMPLES = os.environ.get("EXAMPLES", "10")
ANSWERS = (
    "200 application/json",
    "200 application/x-ndjson",
    "200 text/markdown",
    "200 text/plain",
    "400 application/problem+json",
    "415 application/problem+json",
    "422 application/problem+json",
)


@contextmanager
def scans() -> Iterator[tuple[str, int]]:
    """Serve the examples on loopback; yield the URL of a scan, and the port."""
    handler = functools.partial(Quiet, directory=ROOT / "examples")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/scan.jpg", server.server_port
        finally:
            server.shutdown()
            serving.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, template: str, *args: object) -> None:
        pass


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[tuple[RunningProgram, str]]:
    """Run the service with the scripted engine; yield it and the URL of a scan. folder: of its jobs."""
    # No request leaves this machine: only the local port is allowed, and ports are checked before names.
    with scans() as (scan, port):
        usual = {"OCR_CACHE_LIFETIME": "0", "OCR_OUTPUT_DIR": str(folder)}
        fetching = {"OCR_URL_ALLOWLIST": "127.0.0.1", "OCR_URL_PORTS": str(port)}
        settings["OCR_JOBS_CALLBACK_SECRET"] = "a-secret-for-the-tests"
        with RunningProgram(SERVICE, **usual, **fetching, **settings) as running:
            running.wait_for("jobs are available", timeout=120)
            yield running, scan


def answers(running: RunningProgram, scan: str, folder: Path, *options: str) -> dict[str, int]:
    """Run schemathesis against the service; return the number of responses of each kind."""
    tally = folder / "tally.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)]
    # A job that is deleted while it is open is cancelled, and can still be looked at.
    checks = ("--checks", "all", "--exclude-checks", "use_after_free")
    tried = subprocess.run(
        [*command, "run", f"{running.url}/openapi.json", *checks, *options],
        cwd=folder,
        env={**os.environ, "SCAN_URL": scan, "TALLY": str(tally), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert tried.returncode == 0, tried.stdout
    reached: dict[str, int] = json.loads(tally.read_text())
    return reached


@pytest.mark.timeout(900)
def test_protected_service_matches_the_openapi_document(tmp_path: Path) -> None:
    with service(tmp_path / "output", OCR_API_KEYS=KEY) as (running, scan):
        shown = ("--header", f"Authorization: Bearer {KEY}")
        reached = answers(running, scan, tmp_path, *shown, "--max-examples", EXAMPLES)
    # Requests without the key, or with another key, are not counted here.
    # Documents must have been read in every format, or the check would be empty.
    assert {f"POST /ocr {answer}" for answer in ANSWERS} <= set(reached), reached
    assert {"POST /jobs 202 application/json", "GET /jobs 200 application/json"} <= set(reached), reached
    assert {f"POST /api/v2/ocr/jobs {status} application/json" for status in (200, 400)} <= set(reached), (
        reached
    )
    for path in ("/layout-parsing", "/restructure-pages"):
        assert {f"POST {path} {status} application/json" for status in (200, 422)} <= set(reached), reached


@pytest.mark.timeout(900)
def test_open_service_matches_the_openapi_document(tmp_path: Path) -> None:
    """Without keys the same routes get random requests only: their fields are the same."""
    with service(tmp_path / "output") as (running, scan):
        reached = answers(running, scan, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "5")
    assert "POST /ocr 200 application/json" in reached, reached
