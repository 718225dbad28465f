"""The first process: runs the service and, beside it, vLLM; hands signals on, and leaves no process behind.

Usage: python -m ocr_service.supervisor STOP_TIMEOUT SERVICE... [-- COMPANION...]

The service's end is the end, with its exit code. The companion is started again whenever it ends, after a
pause that grows. SIGTERM, SIGINT or SIGHUP let the service finish, then stop the companion, which is killed
after STOP_TIMEOUT seconds; a second signal ends both at once.
"""

import ctypes
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ocr_service.logs import configure_logging

log = logging.getLogger("supervisor")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LAST_LINES = 20
_LAST_BYTES = 16_384
_PR_SET_CHILD_SUBREAPER = 36


class _EndNow(Exception):
    """A second signal came; its number is the argument."""


class Supervisor:
    """Runs one service, to its end, and one companion, if any, for as long.

    service, companion: command lines; the companion's may be empty. stop_timeout: seconds that the
    companion may take to stop before it is killed.
    """

    def __init__(self, service: list[str], companion: list[str], stop_timeout: float) -> None:
        self._command = service
        self._companion = _Companion(companion) if companion else None
        self._stop_timeout = stop_timeout
        self._stopping: signal.Signals | None = None
        self._exit_code: int | None = None

    def run(self) -> int:
        """Return the exit code, once nothing that was started is left."""
        _adopt_orphans()
        self._wakeup = _listen()
        try:
            self._service = _spawn(self._command)
            self._run_service()
            self._stop_companion()
        except _EndNow as impatient:
            log.warning("a second signal: ending at once")
            self._exit_code = 128 + impatient.args[0]
        finally:
            _kill_all()
        assert self._exit_code is not None
        return self._exit_code

    def _run_service(self) -> None:
        while self._exit_code is None:
            if self._companion and self._companion.due():
                self._companion.start()
            self._turn(self._companion.seconds_to_start() if self._companion else None)

    def _stop_companion(self) -> None:
        if self._companion is None or not self._companion.stop():
            return
        deadline = time.monotonic() + self._stop_timeout
        while self._companion.running and (left := deadline - time.monotonic()) > 0:
            self._turn(left)
        if self._companion.running:
            log.warning("vLLM did not stop within %g s and is killed", self._stop_timeout)

    def _turn(self, timeout: float | None) -> None:
        """Wait for something to happen, `timeout` seconds at most, and deal with it."""
        output = self._companion.output if self._companion else None
        readable = [self._wakeup] if output is None else [self._wakeup, output]
        ready, _, _ = select.select(readable, [], [], timeout)
        if output in ready and self._companion:
            self._companion.pass_output_on()
        if self._wakeup in ready:
            for number in os.read(self._wakeup, 4096):
                if number in _STOP_SIGNALS:
                    self._on_signal(signal.Signals(number))
            for pid, code in _ended():
                self._on_end(pid, code)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping is not None:
            raise _EndNow(number)
        self._stopping = number
        log.info("%s: the service finishes what it has begun", number.name)
        if self._exit_code is None:
            os.kill(self._service, signal.SIGTERM)

    def _on_end(self, pid: int, code: int) -> None:
        if pid == self._service:
            # uvicorn shuts down in order and then lets the signal that we sent take its course.
            self._exit_code = 0 if self._stopping and code == -signal.SIGTERM else _shell_code(code)
            log.info("the service ended, with %s", _in_words(code))
        elif self._companion and pid == self._companion.pid:
            self._companion.on_end(code, again=self._exit_code is None)


class _Companion:
    """One process that is started again whenever it ends.

    pid: the running process's, which leads a process group; None while there is none. output: the end of
    the pipe from which its standard output and error come.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.pid: int | None = None
        self.output: int | None = None
        self._pause = _FIRST_PAUSE
        self._start_at = time.monotonic()
        self._tail = b""

    @property
    def running(self) -> bool:
        return self.pid is not None

    def due(self) -> bool:
        return not self.running and time.monotonic() >= self._start_at

    def seconds_to_start(self) -> float | None:
        """Return None while it runs."""
        return None if self.running else max(0.0, self._start_at - time.monotonic())

    def start(self) -> None:
        self.output, its_end = os.pipe()
        os.set_blocking(self.output, False)
        self._tail = b""
        self._started_at = time.monotonic()
        self.pid = _spawn(self._command, its_end)
        os.close(its_end)

    def stop(self) -> bool:
        """Ask it, and all that it started, to stop; False if it does not run."""
        if self.pid is None:
            return False
        os.killpg(self.pid, signal.SIGTERM)
        return True

    def pass_output_on(self) -> None:
        """Copy what it has written to our own output, and remember the last of it."""
        while self.output is not None and (some := _read_some(self.output)) is not None:
            if not some:
                os.close(self.output)
                self.output = None
            self._tail = (self._tail + some)[-_LAST_BYTES:]
            sys.stdout.buffer.write(some)
            sys.stdout.buffer.flush()

    def on_end(self, code: int, again: bool) -> None:
        """Clear away what it left, and plan its next start, if it is to run again."""
        assert self.pid is not None
        # What it started may still hold the GPU's memory, or the port.
        _kill_group(self.pid)
        self.pass_output_on()
        if self.output is not None:
            os.close(self.output)
        self.pid = self.output = None
        if not again:
            log.info("vLLM ended, with %s", _in_words(code))
            return
        ran_for = time.monotonic() - self._started_at
        if ran_for >= _LONGEST_PAUSE:
            self._pause = _FIRST_PAUSE
        log.warning(
            "vLLM ended after %.0f s, with %s; it is started again in %g s. Its last lines:\n%s",
            ran_for,
            _in_words(code),
            self._pause,
            self._last_lines(),
        )
        self._start_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _last_lines(self) -> str:
        lines = self._tail.decode(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"  | {line}" for line in lines)


def _adopt_orphans() -> None:
    """Become the parent of processes that lose theirs, also where this is not a container's first process."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _listen() -> int:
    """Return a pipe's end from which the numbers of arriving signals can be read."""
    wakeup, signals = os.pipe()
    for end in (wakeup, signals):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(signals)
    for number in (*_STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return wakeup


def _spawn(command: list[str], output: int | None = None) -> int:
    """Start a command as the leader of a process group of its own; return its process id."""
    redirected = [] if output is None else [(os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2)]
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=redirected,
        setsid=True,
        # Python ignores it, and what is ignored is inherited.
        setsigdef=[signal.SIGPIPE],
    )


def _read_some(end: int) -> bytes | None:
    """Return what a pipe holds: b"" at its end, None where nothing is there yet."""
    try:
        return os.read(end, 65_536)
    except BlockingIOError:
        return None


def _ended() -> Iterator[tuple[int, int]]:
    """Take leave of the children that have ended, adopted ones too: process id, and exit code or -signal."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _kill_all() -> None:
    """End every process that descends from this one: orphans become children, so none is left out."""
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)
        os.waitpid(-1, 0)


def _children() -> list[int]:
    parent = f"PPid:\t{os.getpid()}\n"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if parent in (folder / "status").read_text():
                found.append(int(folder.name))
    return found


def _shell_code(code: int) -> int:
    return 128 - code if code < 0 else code


def _in_words(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def main() -> NoReturn:
    """Run what the command line says; its form stands at the top of this file."""
    configure_logging("info")
    try:
        stop_timeout, service, companion = _parsed(sys.argv[1:])
        code = Supervisor(service, companion, stop_timeout).run()
    except (ValueError, OSError) as error:
        log.error("%s", error)
        code = 1
    sys.exit(code)


def _parsed(arguments: list[str]) -> tuple[float, list[str], list[str]]:
    stop_timeout, *commands = arguments
    end = commands.index("--") if "--" in commands else len(commands)
    return float(stop_timeout), commands[:end], commands[end + 1 :]


if __name__ == "__main__":
    main()
