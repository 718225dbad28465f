"""Programs run as separate processes, for tests and benchmarks."""

import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).parents[1]
# For clients of http:// addresses. By default each client loads the certificates of the machine: 50 ms CPU.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class RunningProgram:
    """Runs a server for the duration of a `with` block; the server must log its address, at the level INFO.

    environment: variables added to the current environment, except its log level. url: address of the server.
    log: lines so far.
    """

    folder = ROOT
    listening = re.compile(r"(?:Uvicorn running on|stand-in for vLLM on) (http://[^/\s]+)")

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self._command = command
        self._environment = {"OCR_LOG_LEVEL": "info", **environment}
        self.log: list[str] = []
        self._log_ended = False
        self._one_more = threading.Condition()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._start(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With the error, or it would be missing in the report if the program does not end.
        self._opened.__exit__(kind, error, trace)

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float | None = 120) -> re.Match[str]:
        """Wait until a line of the log matches, and return the match; fail if the log ends before."""
        with self._one_more:
            self._one_more.wait_for(lambda: self._log_ended or re.search(pattern, "".join(self.log)), timeout)
            seen = re.search(pattern, "".join(self.log))
        assert seen, f"no line with {pattern!r}:\n" + "".join(self.log)
        return seen

    def get(self, path: str) -> httpx.Response:
        """Ask the server, however long it takes on a busy machine; httpx waits for 5 seconds by default."""
        return httpx.get(f"{self.url}{path}", timeout=120, verify=NO_CERTIFICATES)

    def kill(self) -> None:
        """Kill the process, as in a crash."""
        self.process.kill()
        self.process.wait()

    def _start(self, opened: ExitStack) -> None:
        """Start the program and wait until it listens; `opened` ends it, even if this fails."""
        self.process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        reader = threading.Thread(target=self._read)
        reader.start()
        opened.callback(reader.join)
        opened.callback(self._stop)
        self.url = self.wait_for(self.listening, timeout=None)[1]

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.exit_code = self.process.wait(timeout=120)
        finally:
            self.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._one_more:
                    self.log.append(line)
                    self._one_more.notify_all()
        with self._one_more:
            self._log_ended = True
            self._one_more.notify_all()


class RunningService(RunningProgram):
    """Runs `uvicorn server:app` on a free port.

    settings: environment variables. client: HTTP client of the service.
    first_answer: seconds from the start to the first response of `/health`.
    """

    def __init__(self, **settings: str) -> None:
        command = [sys.executable, "-m", "uvicorn", "server:app", "--port", "0"]
        # The same as in start.sh.
        limits = {"UVICORN_HTTP": "ocr_service.runtime.connections:Connection", "UVICORN_WS": "none"}
        usual = {"OCR_ENGINE": "tesseract", "OCR_CACHE_LIFETIME": "0"}
        super().__init__(command, **limits, **{**usual, **settings})

    def _start(self, opened: ExitStack) -> None:
        began = time.perf_counter()
        super()._start(opened)
        client = httpx.Client(base_url=self.url, timeout=600, verify=NO_CERTIFICATES)
        self.client = opened.enter_context(client)
        self.client.get("/health").raise_for_status()
        self.first_answer = time.perf_counter() - began


START = ["./start.sh"]


def start_environment(**settings: str) -> dict[str, str]:
    """Return the variables that start.sh needs beside the current environment: PATH and a free port."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "UVICORN_HOST": "127.0.0.1", "UVICORN_PORT": "0", **settings}


class RunningStart(RunningProgram):
    """Runs start.sh, as the container does."""

    def __init__(self, **settings: str) -> None:
        super().__init__(START, **start_environment(**settings))


# Options of the vLLM stand-in that remove its delays.
FAST = ("--step-ms", "0.1", "--step-ms-each", "0", "--prefill-ms", "0")


class Vllm(RunningProgram):
    """A vLLM server: the stand-in or the real one."""

    @property
    def api(self) -> str:
        """The value for `OCR_VLM_URL`."""
        return f"{self.url}/v1"


class RunningVllm(Vllm):
    """Runs the vLLM stand-in.

    port: 0 for a free one. options: command-line options.
    """

    def __init__(self, *options: str, port: int = 0) -> None:
        module = ["-m", "tests.stand_ins.vllm_server", "--port", str(port)]
        super().__init__([sys.executable, *module, *options])

    def _start(self, opened: ExitStack) -> None:
        super()._start(opened)
        # No request fails on a connection that the server has just closed.
        limits = httpx.Limits(max_keepalive_connections=0)
        client = httpx.Client(
            base_url=f"{self.url}/stand_in", timeout=120, limits=limits, verify=NO_CERTIFICATES
        )
        self._client = opened.enter_context(client)

    def fault(self, fault: str | None, after: int = 0) -> None:
        """Make completions fail after `after` more responses; None ends the fault."""
        self._client.post("/fault", json={"fault": fault, "after": after}).raise_for_status()

    def script(self, before: str | None, loop: str = "", prompt: str = "") -> None:
        """Answer blocks with this text and an endless loop after it; None ends the script.

        prompt: start of the prompts of these blocks.
        """
        script = None if before is None else {"before": before, "loop": loop, "prompt": prompt}
        self._client.post("/script", content=json.dumps(script)).raise_for_status()

    def serve_as(self, model: str) -> None:
        """Serve the model under another name from now on, as a restarted server may."""
        self._client.post("/model", json={"model": model}).raise_for_status()

    def stats(self) -> dict[str, int]:
        """Return the counters of the stand-in."""
        answer: dict[str, int] = self._client.get("/stats").raise_for_status().json()
        return answer

    def record(self) -> None:
        """Record the bodies of completion requests from now on."""
        self._client.post("/record").raise_for_status()

    def parents(self) -> list[str | None]:
        """Return the parent span of each completion since `record`, from its traceparent header."""
        answer: list[str | None] = self._client.get("/parents").raise_for_status().json()
        return answer

    def recorded(self) -> list[str]:
        """Return the recorded bodies, and stop recording."""
        answer: list[str] = self._client.post("/recorded").raise_for_status().json()
        return answer


# Below the ports that Linux gives to connections, and to servers that ask for any port. One of them could
# take a free port before its server starts, or while it is restarted.
_PORTS = range(20000, 32768)


def free_port() -> int:
    """Return a port that is free, and that only another call of this function returns."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
