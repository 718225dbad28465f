"""A decoder watched from outside: a crash and a hang end it, and are told like every other outcome."""

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

# For files of a few kilobytes and pages of at most 4 megapixels; a PDF's page may be tried for 10 s before.
MOST_SECONDS = 30.0
MOST_MIB = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    what: how many pages it has, or the error's code. wrong: what is wrong with that, or None. trace: where.
    """

    what: str
    seconds: float
    mib: float
    wrong: str | None = None
    trace: str = ""


class WatchedDecoder:
    """Runs the decoder's process while the `with` block lasts, and another in place of one that ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def decode(self, data: bytes) -> Outcome:
        """Have one file decoded."""
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
        return _judged(**json.loads(line))

    def _start(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.decoder"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        assert self._process.stdout
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._process.stdout, selectors.EVENT_READ)

    def _ended(self, wrong: str, seconds: float) -> Outcome:
        said = self._end()
        return Outcome(wrong, seconds, 0, wrong, said)

    def _end(self) -> str:
        """End the process; return what it has said, such as where it crashed."""
        if self._process is None:
            return ""
        self._process.kill()
        self._process.wait()
        self._waiting.close()
        assert self._process.stdin and self._process.stdout
        self._process.stdout.close()
        # Where it crashed it may not have read all of it.
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process = None
        with self._said:
            self._said.seek(0)
            return self._said.read().decode(errors="replace")


def _judged(outcome: str, trace: str | None, seconds: float, mib: float) -> Outcome:
    if trace is not None:
        return Outcome(outcome, seconds, mib, f"unexpected {outcome}", trace)
    if mib > MOST_MIB:
        return Outcome(outcome, seconds, mib, "memory", f"{mib:.0f} MiB for one file")
    return Outcome(outcome, seconds, mib)
