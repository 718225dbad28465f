"""The service as it is run for real, a process of its own; for tests and benchmarks."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import httpx

ROOT = Path(__file__).parents[1]

_RUNNING = re.compile(r"Uvicorn running on (http://\S+)")


class RunningService:
    """Runs `uvicorn server:app` on a port of the system's choice while the `with` block lasts.

    settings: environment variables. client: talks to it. log: its lines so far.
    first_answer: seconds from start to the first answer of `/health`.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self.log: list[str] = []

    def __enter__(self) -> "RunningService":
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "server:app", "--port", "0"],
            cwd=ROOT,
            env={**os.environ, "OCR_ENGINE": "tesseract", **self._settings},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._address()
        self._reader = threading.Thread(target=self._read_on)
        self._reader.start()
        self.client = httpx.Client(base_url=self.url, timeout=600)
        self.client.get("/health").raise_for_status()
        self.first_answer = time.perf_counter() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.process.terminate()
        self.exit_code = self.process.wait(timeout=60)
        self._reader.join()

    def _address(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if running := _RUNNING.search(line):
                return running[1]
        raise RuntimeError("the service did not start:\n" + "".join(self.log))

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)
        self.process.stderr.close()
