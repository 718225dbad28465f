"""Runs the decoder in a child process and reports crashes and hangs as outcomes."""

import json
import selectors
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.running import ROOT

# Limits for files of a few kilobytes and pages of at most 4 megapixels; a page of a PDF may take 10 s first.
MOST_SECONDS = 30.0
MOST_MIB = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a file.

    result: the number of pages, or an error code. wrong: the kind of finding, or None. trace: of the error.
    """

    result: str
    seconds: float
    mib: float
    wrong: str | None = None
    trace: str = ""


class WatchedDecoder:
    """Runs the decoder process while the `with` block lasts; if the process ends, starts another one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def decode(self, data: bytes) -> Outcome:
        """Decode one file in the child process."""
        if self._process is None:
            self._start()
        assert self._process is not None and self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.write(len(data).to_bytes(4, "big") + data)
            self._process.stdin.flush()
        if not self._waiting.select(MOST_SECONDS):
            return self._ended("hang", MOST_SECONDS)
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            return self._ended(signal.Signals(-code).name if code < 0 else f"exit {code}", 0)
        return _with_findings(**json.loads(line))

    def _start(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.decoder"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdout
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._process.stdout, selectors.EVENT_READ)

    def _ended(self, wrong: str, seconds: float) -> Outcome:
        stderr = self._end()
        return Outcome(wrong, seconds, 0, wrong, stderr)

    def _end(self) -> str:
        """Kill the process; return its standard error, such as the trace of a crash."""
        if self._process is None:
            return ""
        self._process.kill()
        self._process.wait()
        self._waiting.close()
        assert self._process.stdin and self._process.stdout
        self._process.stdout.close()
        # If the process crashed, its input may be unread.
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process = None
        with self._stderr:
            self._stderr.seek(0)
            return self._stderr.read().decode(errors="replace")


def _with_findings(outcome: str, trace: str | None, seconds: float, mib: float) -> Outcome:
    if trace is not None:
        return Outcome(outcome, seconds, mib, f"unexpected {outcome}", trace)
    if mib > MOST_MIB:
        return Outcome(outcome, seconds, mib, "memory", f"{mib:.0f} MiB for one file")
    return Outcome(outcome, seconds, mib)
