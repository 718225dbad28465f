"""push.sh and smoke.sh: their errors and output, and that no secret is in the output."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.running import ROOT, RunningService

REGISTRY = {"REGISTRY_ENDPOINT": "registry-xxxxx.cr.cloud.ru", "KEY_ID": "key-id", "KEY_SECRET": "key-secret"}
RECORDING_DOCKER = """#!/bin/bash
echo "$@" >>"$DOCKER_LOG"
case $1 in
image) echo "${IMAGE_VERSION:-1.0.0}" ;;
context) echo unix:///var/run/docker.sock ;;
login)
    echo "Authenticating with existing credentials... [Username: key-id]"
    cp "$DOCKER_CONFIG/config.json" "$DOCKER_LOG.config"
    echo "$DOCKER_CONFIG" >"$DOCKER_LOG.folder"
    ;;
esac
"""


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {*REGISTRY, "API_KEY", "ML_TOKEN", "IMAGE_URL"}
    }
    return subprocess.run(
        [f"deploy/{script}", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """Environment with a stand-in for `docker` that records its arguments; needs no Docker."""
    program = tmp_path / "docker"
    program.write_text(RECORDING_DOCKER)
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_LOG": str(tmp_path / "log")}


@pytest.mark.parametrize("missing", REGISTRY)
def test_push_explains_a_missing_variable(missing: str) -> None:
    there = {name: value for name, value in REGISTRY.items() if name != missing}
    done = run("push.sh", "--dry-run", **there)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"push.sh: {missing} is not set: it is the ")


def test_push_refuses_an_unknown_option() -> None:
    done = run("push.sh", "--dryrun", **REGISTRY)
    assert done.returncode == 1 and "--dryrun" in done.stderr


@pytest.mark.parametrize(("target", "suffix"), [("gpu", ""), ("cpu", "-cpu")])
def test_push_logs_in_tags_and_pushes_version_and_latest(
    docker: dict[str, str], target: str, suffix: str
) -> None:
    done = run("push.sh", target, **REGISTRY, **docker)
    assert done.returncode == 0, done.stderr
    remote = "registry-xxxxx.cr.cloud.ru/paddleocr-vl-service"
    calls = Path(docker["DOCKER_LOG"]).read_text().splitlines()
    assert [line for line in calls if not line.startswith(("context", "image"))] == [
        "login registry-xxxxx.cr.cloud.ru",
        f"tag paddleocr-vl-service:latest{suffix} {remote}:1.0.0{suffix}",
        f"push {remote}:1.0.0{suffix}",
        f"tag paddleocr-vl-service:latest{suffix} {remote}:latest{suffix}",
        f"push {remote}:latest{suffix}",
    ]


def test_push_hides_the_key_and_removes_it(docker: dict[str, str]) -> None:
    done = run("push.sh", **REGISTRY, **docker)
    log = Path(docker["DOCKER_LOG"])
    for secret in ("key-id", "key-secret"):
        assert secret not in log.read_text() + done.stdout + done.stderr
    # "key-id:key-secret" in base64: docker has read the configuration.
    assert "a2V5LWlkOmtleS1zZWNyZXQ=" in Path(f"{log}.config").read_text()
    assert not Path(Path(f"{log}.folder").read_text().strip()).exists()


@pytest.mark.parametrize(
    "address", ["https://registry-xxxxx.cr.cloud.ru", "registry-xxxxx.cr.cloud.ru/", "a b"]
)
def test_push_refuses_an_invalid_registry_name(address: str) -> None:
    done = run("push.sh", "--dry-run", **{**REGISTRY, "REGISTRY_ENDPOINT": address})
    assert done.returncode == 1 and "REGISTRY_ENDPOINT must be a name" in done.stderr


def test_push_refuses_an_image_of_another_version(docker: dict[str, str]) -> None:
    done = run("push.sh", **REGISTRY, **docker, IMAGE_VERSION="0.9.0")
    assert done.returncode == 1 and "is of version 0.9.0 and not 1.0.0" in done.stderr
    assert "push" not in Path(docker["DOCKER_LOG"]).read_text()


def test_push_stops_if_the_key_is_refused(docker: dict[str, str]) -> None:
    Path(docker["PATH"].split(":")[0], "docker").write_text(
        "#!/bin/sh\n[ $1 = image ] && echo 1.0.0\n[ $1 != login ]\n"
    )
    done = run("push.sh", **REGISTRY, **docker)
    assert done.returncode == 1 and "push" not in done.stdout
    assert done.stderr == "push.sh: docker cannot log in to registry-xxxxx.cr.cloud.ru\n"


def test_dry_run_prints_the_commands_and_runs_none(docker: dict[str, str]) -> None:
    done = run("push.sh", "--dry-run", **REGISTRY, **docker)
    assert done.returncode == 0 and "+ docker push" in done.stdout
    assert "key-" not in done.stdout + done.stderr
    assert not Path(docker["DOCKER_LOG"]).exists()


def with_progress(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command with progress.sh, in a script that ends at the first failure."""
    line = f'set -e; . scripts/progress.sh; with_progress "the work" {script}; echo "after it"'
    return subprocess.run(
        ["bash", "-c", line, "script", *arguments],
        cwd=ROOT,
        env={**os.environ, "PROGRESS_SECONDS": "0.05"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_progress_of_a_long_command_is_printed(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    # The work ends when its progress has been printed.
    done = with_progress('bash -c "until [ -s $1 ]; do :; done; echo done" 2>"$1"', str(progress))
    assert (done.returncode, done.stdout) == (0, "done\nafter it\n")
    assert re.match(r"the work: still running after \d+ s\n", progress.read_text())


def test_exit_status_of_the_command_is_kept() -> None:
    assert (with_progress("bash -c 'exit 7'").returncode, with_progress("bash -c 'exit 7'").stdout) == (7, "")
    run_as_program = subprocess.run([ROOT / "scripts/progress.sh", "the work", "bash", "-c", "exit 7"])
    assert run_as_program.returncode == 7


class _Service(BaseHTTPRequestHandler):
    """Stands in for a service with vLLM behind a platform that requires a token; accepts image_url too."""

    ready = True

    def do_GET(self) -> None:
        vllm = b'{"status": "ready", "model": "PaddleOCR-VL-1.6-0.9B"}'
        if self.path == "/health":
            self._answer(200, b'{"status": "healthy", "engine": "paddleocr-vl"}')
        elif self.ready:
            self._answer(200, vllm)
        else:
            self._answer(503, b'{"status": "starting", "model": null}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        by_address = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        self._answer(200, body if by_address else "Текст".encode())

    def _answer(self, status: int, body: bytes) -> None:
        if self.headers["Authorization"] != "Bearer token-of-the-platform":
            status, body = 401, b"no token"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Suppress the log."""


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def guarded() -> Iterator[str]:
    with serving(_Service) as url:
        yield url


@pytest.fixture
def examples() -> Iterator[str]:
    with serving(partial(SimpleHTTPRequestHandler, directory=ROOT / "examples")) as url:
        yield url


def test_smoke_passes_on_this_service() -> None:
    with RunningService() as service:
        done = run("smoke.sh", f"{service.url}/")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "pass  health",
        "pass  health/vllm",
        "pass  multipart",
        "skip  image_url",
    ]


def test_smoke_reads_a_document_by_url(examples: str) -> None:
    port = examples.rpartition(":")[2]
    with RunningService(OCR_URL_ALLOWLIST="127.0.0.1", OCR_URL_PORTS=port) as service:
        read = run("smoke.sh", service.url, IMAGE_URL=f"http://127.0.0.1:{port}/scan.jpg")
        refused = run("smoke.sh", service.url, IMAGE_URL=f"http://127.0.0.2:{port}/scan.jpg")
    assert read.returncode == 0 and "pass  image_url" in read.stdout
    assert refused.returncode == 1 and "FAIL  image_url: HTTP 422" in refused.stdout


def test_smoke_sends_token_and_url(guarded: str) -> None:
    done = run(
        "smoke.sh", guarded, ML_TOKEN="token-of-the-platform", IMAGE_URL="https://example.com/a.jpg?b=1&c=2"
    )
    assert done.returncode == 0
    assert "pass  health/vllm: ready, serves PaddleOCR-VL-1.6-0.9B" in done.stdout
    assert "pass  image_url" in done.stdout
    assert "token-of" not in done.stdout + done.stderr


def test_smoke_sends_its_key_and_does_not_print_it() -> None:
    with RunningService(OCR_API_KEYS="key-of-the-service") as service:
        # Sent together with the platform's token.
        done = run("smoke.sh", service.url, API_KEY="key-of-the-service", ML_TOKEN="token-of-the-platform")
        refused = run("smoke.sh", service.url)
    assert done.returncode == 0 and "pass  multipart" in done.stdout
    assert refused.returncode == 1 and "FAIL  multipart: HTTP 401" in refused.stdout
    assert "key-of" not in done.stdout + done.stderr + "".join(service.log)


def test_smoke_fails_without_the_token(guarded: str) -> None:
    done = run("smoke.sh", guarded)
    assert done.returncode == 1
    assert done.stdout.count("FAIL") == 3 and "HTTP 401, no token" in done.stdout


def test_smoke_fails_while_vllm_is_not_ready(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Service, "ready", False)
    done = run("smoke.sh", guarded, ML_TOKEN="token-of-the-platform")
    assert done.returncode == 1
    assert 'FAIL  health/vllm: HTTP 503, {"status": "starting"' in done.stdout


def test_smoke_fails_if_no_server_answers() -> None:
    done = run("smoke.sh", "http://127.0.0.1:9")
    assert done.returncode == 1 and done.stdout.count("FAIL") == 3 and "HTTP 000" in done.stdout


class _OtherServer(BaseHTTPRequestHandler):
    """Answers every request with a response that is not one of the service."""

    status, kind, body, announced = 200, "application/json", b"", None

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(self.announced or len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Suppress the log."""


@pytest.mark.parametrize(
    "response",
    [
        {"kind": "text/html", "body": b"<html>Please log in</html>"},
        {"kind": "text/plain", "body": b"text", "announced": 10_000},
        {"body": b'{"status": "unhealthy", "parts": {"status": "healthy"}}'},
        {"status": 500, "body": b'{"status": "disabled"}'},
        {"kind": "text/plain", "body": b" \n"},
    ],
    ids=["login page", "cut off", "unhealthy", "broken", "empty"],
)
def test_smoke_fails_on_responses_of_another_server(response: dict[str, Any]) -> None:
    with serving(type("Other", (_OtherServer,), response)) as url:
        done = run("smoke.sh", url)
    assert done.returncode == 1 and done.stdout.count("FAIL") == 3, done.stdout


def test_smoke_sends_files_with_special_characters_in_their_names(guarded: str, tmp_path: Path) -> None:
    file = tmp_path / 'a,b;type=c "d.jpg'
    file.write_bytes(b"some bytes")
    done = run("smoke.sh", guarded, str(file), ML_TOKEN="token-of-the-platform")
    assert "pass  multipart" in done.stdout


def test_smoke_prints_its_usage() -> None:
    for arguments in ((), ("--help",), ("localhost:8081",)):
        done = run("smoke.sh", *arguments)
        assert done.returncode == 2 and "usage" in done.stderr
