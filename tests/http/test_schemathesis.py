"""The API tried by its own description: what it allows and what it forbids, and every answer as it says."""

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
    """Serve the examples on loopback; yields a scan's address, and the port."""
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
def service(**settings: str) -> Iterator[tuple[RunningProgram, str]]:
    """Run the service with an engine that takes no time; yields it and the address of a scan."""
    # Nothing leaves this machine: this port of ours alone is open, and ports are checked before names.
    with scans() as (scan, port):
        fetching = {"OCR_URL_ALLOWLIST": "127.0.0.1", "OCR_URL_PORTS": str(port)}
        with RunningProgram(SERVICE, OCR_CACHE_LIFETIME="0", **fetching, **settings) as running:
            yield running, scan


def answers(running: RunningProgram, scan: str, folder: Path, *options: str) -> dict[str, int]:
    """Let schemathesis try the service; return which answers it got, and how many of each."""
    tally = folder / "tally.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)]
    tried = subprocess.run(
        [*command, "run", f"{running.url}/openapi.json", "--checks", "all", *options],
        cwd=folder,
        env={**os.environ, "SCAN_URL": scan, "TALLY": str(tally), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert tried.returncode == 0, tried.stdout
    reached: dict[str, int] = json.loads(tally.read_text())
    return reached


@pytest.mark.timeout(300)
def test_every_answer_is_as_the_document_says(tmp_path: Path) -> None:
    with service() as (running, scan):
        reached = answers(running, scan, tmp_path)
    # The documents were read, and in every form: else there was little to check.
    assert {f"POST /ocr {answer}" for answer in ANSWERS} <= set(reached), reached
    for path in ("/layout-parsing", "/restructure-pages"):
        assert {f"POST {path} {status} application/json" for status in (200, 422)} <= set(reached), reached


@pytest.mark.timeout(300)
def test_where_a_key_is_asked_for_nothing_is_answered_without_one(tmp_path: Path) -> None:
    with service(OCR_API_KEYS=KEY) as (running, scan):
        shown = ("--header", f"Authorization: Bearer {KEY}")
        reached = answers(running, scan, tmp_path, *shown, "--max-examples", "100")
    # What is asked without the key, or with another, is not counted there.
    assert "POST /ocr 200 application/json" in reached, reached
