"""The first process: runs the service and, beside it, vLLM; hands signals on, and leaves no process behind.

Usage: python -m ocr_service.container.supervisor STOP_TIMEOUT SERVICE... [-- COMPANION...]

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
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ocr_service.telemetry.logs import configure_logging, fields, log_format

log = logging.getLogger("supervisor")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
# Longer than loading takes: what runs out of memory while it loads has not run for long.
_LONG_RUN = 600.0
_LAST_LINES = 20
_LAST_BYTES = 16_384
# How long what was killed may take to be gone: the GPU's driver may hold a process for a while.
_KILL_TIMEOUT = 5.0
_PR_SET_CHILD_SUBREAPER = 36


def restart_delay(last: float | None, ran_for: float) -> float:
    """Return for how many seconds to wait: twice as long as the last time, unless it had run for long."""
    if last is None or ran_for >= _LONG_RUN:
        return _SHORTEST_PAUSE
    return min(2 * last, _LONGEST_PAUSE)


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
        self._wakeup = _listen()
        _adopt_orphans()
        try:
            self._service = _spawn(self._command)
            self._run_service()
            self._stop_companion()
        except _EndNow as impatient:
            log.warning("a second signal: ending at once")
            if self._exit_code is None:
                self._exit_code = 128 + impatient.args[0]
        finally:
            self._kill_what_is_left()
        assert self._exit_code is not None
        return self._exit_code

    def _run_service(self) -> None:
        while self._exit_code is None:
            if self._companion and self._companion.due():
                # Not even those of the last one that left its process group: they may hold the GPU's memory.
                _kill_children(but=self._service)
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

    def _kill_what_is_left(self) -> None:
        deadline = time.monotonic() + _KILL_TIMEOUT
        while _kill_children() and time.monotonic() < deadline:
            self._wait(0.1)
            for _ in _ended():
                pass

    def _turn(self, timeout: float | None) -> None:
        """Wait for something to happen, `timeout` seconds at most, and deal with it."""
        for number in self._wait(timeout):
            if number in _STOP_SIGNALS:
                self._on_signal(signal.Signals(number))
        for pid, code in _ended():
            self._on_end(pid, code)

    def _wait(self, timeout: float | None) -> bytes:
        """Return the numbers of the signals that came, one a byte."""
        ready, _, _ = select.select([self._wakeup], [], [], timeout)
        return os.read(self._wakeup, 4096) if ready else b""

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping is not None:
            raise _EndNow(number)
        self._stopping = number
        if self._exit_code is None:
            log.info("%s: the service finishes what it has begun", number.name)
            os.kill(self._service, signal.SIGTERM)

    def _on_end(self, pid: int, code: int) -> None:
        if pid == self._service:
            # uvicorn shuts down in order and then lets the signal that we sent take its course.
            in_order = self._stopping and code == -signal.SIGTERM
            self._exit_code = 0 if in_order else _shell_code(code)
            log.info("the service ended, %s", "in order" if in_order else f"with {_in_words(code)}")
        elif self._companion and pid == self._companion.pid:
            self._companion.on_end(_in_words(code), again=not (self._stopping or self._exit_code))


class _Companion:
    """One process that is started again whenever it ends.

    pid: the running process's, which leads a process group; None while there is none.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.pid: int | None = None
        self._pause: float | None = None
        # On the clock of time.monotonic; None while it runs, and when it is not to run again.
        self._start_at: float | None = time.monotonic()

    @property
    def running(self) -> bool:
        return self.pid is not None

    def due(self) -> bool:
        return self.seconds_to_start() == 0.0

    def seconds_to_start(self) -> float | None:
        """Return None while it runs, and when it is not to run again."""
        return None if self._start_at is None else max(0.0, self._start_at - time.monotonic())

    def start(self) -> None:
        """Start it; where even that fails, it has ended at once."""
        self._start_at, self._started_at = None, time.monotonic()
        self._output = _Output()
        try:
            self.pid = self._output.of(self._command)
        except (OSError, RuntimeError) as error:
            self._start_later(str(error))

    def stop(self) -> bool:
        """Ask it, and all that it started, to stop; False if it does not run."""
        self._start_at = None
        if self.pid is None:
            return False
        os.killpg(self.pid, signal.SIGTERM)
        return True

    def on_end(self, how: str, again: bool) -> None:
        """Clear away what it left, and plan its next start, if it is to run again."""
        assert self.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.pid = None
        if again:
            self._start_later(how)
        else:
            log.info("vLLM ended, with %s", how)

    def _start_later(self, how: str) -> None:
        ran_for = time.monotonic() - self._started_at
        self._pause = restart_delay(self._pause, ran_for)
        self._start_at = time.monotonic() + self._pause
        log.warning(
            "vLLM ended after %.0f s, with %s; it is started again in %g s",
            ran_for,
            how,
            self._pause,
            extra=fields(last_lines=self._output.last_lines() or None),
        )


class _Output:
    """What a process writes, passed on to our own standard output, and the last of it remembered.

    In a thread, as whoever reads our output may be slow.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._copying: threading.Thread | None = None

    def of(self, command: list[str]) -> int:
        """Start a command whose output this is; return its process id. Raises OSError or RuntimeError."""
        ours, its = os.pipe()
        try:
            self._copying = threading.Thread(target=self._copy, args=(ours,), daemon=True)
            self._copying.start()
            return _spawn(command, output=its)
        finally:
            os.close(its)

    def last_lines(self) -> str:
        """Return the last lines of a process that has ended."""
        if self._copying and self._copying.ident:
            self._copying.join(timeout=1)
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-_LAST_LINES:])

    def _copy(self, end: int) -> None:
        while some := os.read(end, 65_536):
            self._tail = (self._tail + some)[-_LAST_BYTES:]
            # Nobody may be there to read it any more; whoever writes shall not notice.
            with suppress(OSError):
                while some:
                    some = some[os.write(1, some) :]
        os.close(end)


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
        # What was ignored from the start, as nohup has it, stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    return wakeup


def _spawn(command: list[str], output: int | None = None) -> int:
    """Start a command as the leader of a process group of its own; return its process id.

    Should this process be killed, the command is asked to stop.
    """
    command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
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


def _kill_children(but: int | None = None) -> bool:
    """Kill all child processes but one; say whether there were any. Orphans become children, too."""
    doomed = [child for child in _children() if child != but]
    for child in doomed:
        os.kill(child, signal.SIGKILL)
    return bool(doomed)


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
    _open_standard_files()
    configure_logging("info", log_format(os.environ))
    try:
        stop_timeout, service, companion = _parsed(sys.argv[1:])
        code = Supervisor(service, companion, stop_timeout).run()
    except (ValueError, OSError) as error:
        log.error("%s", error)
        code = 1
    sys.exit(code)


def _open_standard_files() -> None:
    """Open the standard files that were closed: a pipe of ours would get their numbers, and uvicorn fails."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


def _parsed(arguments: list[str]) -> tuple[float, list[str], list[str]]:
    stop_timeout, *commands = arguments
    end = commands.index("--") if "--" in commands else len(commands)
    return float(stop_timeout), commands[:end], commands[end + 1 :]


if __name__ == "__main__":
    main()
