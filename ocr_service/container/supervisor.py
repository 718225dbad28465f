"""The first process of the container: runs the service and vLLM, forwards signals and reaps all processes.

Usage: python -m ocr_service.container.supervisor STOP_TIMEOUT SERVICE... [-- VLLM...]

When the service exits, the supervisor exits with the same code. When vLLM exits, it is restarted after a
growing delay. The service sends SIGUSR1 if vLLM hangs; then vLLM is killed, and so restarted. SIGTERM, SIGINT
and SIGHUP first stop the service gracefully, then vLLM, which is killed after STOP_TIMEOUT seconds. A second
signal kills both at once.
"""

import logging
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

from ocr_service.container.processes import adopt_orphans, describe, kill_children, reap, shell_code, spawn
from ocr_service.telemetry.logs import configure_logging, fields, log_format

log = logging.getLogger("supervisor")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The same as in runtime/signals.py.
_RESTART_VLLM = signal.SIGUSR1
_MIN_RESTART_DELAY = 1.0
_MAX_RESTART_DELAY = 60.0
# Seconds. Longer than the model takes to load, so that running out of memory during the load is a short run.
_LONG_RUN = 600.0
_LAST_LINES = 20
_LAST_BYTES = 16_384
# Seconds until a killed process is gone: the GPU driver may hold it for a while.
_KILL_TIMEOUT = 5.0


def restart_delay(last: float | None, run_seconds: float) -> float:
    """Return the seconds until a restart: twice the last delay, or the minimum after a long run."""
    if last is None or run_seconds >= _LONG_RUN:
        return _MIN_RESTART_DELAY
    return min(2 * last, _MAX_RESTART_DELAY)


class _SecondSignal(Exception):
    """A second stop signal was received. Its number is the argument."""


class Supervisor:
    """Runs the service until it exits, and vLLM beside it.

    service, vllm: command lines; without vLLM, an empty one. stop_timeout: seconds until vLLM is killed.
    """

    def __init__(self, service: list[str], vllm: list[str], stop_timeout: float) -> None:
        self._command = service
        self._vllm = _RestartedProcess(vllm) if vllm else None
        self._stop_timeout = stop_timeout
        self._stopping: signal.Signals | None = None
        self._exit_code: int | None = None

    def run(self) -> int:
        """Return the exit code when no process is left."""
        self._wakeup = _signal_pipe()
        adopt_orphans()
        try:
            self._service = spawn(self._command)
            self._run_service()
            self._stop_vllm()
        except _SecondSignal as second:
            log.warning("second signal: all processes are killed")
            if self._exit_code is None:
                self._exit_code = 128 + second.args[0]
        finally:
            self._kill_remaining()
        assert self._exit_code is not None
        return self._exit_code

    def _run_service(self) -> None:
        while self._exit_code is None:
            if self._vllm and self._vllm.due():
                # A process that left the group of the last vLLM may still hold GPU memory.
                kill_children(except_pid=self._service)
                self._vllm.start()
            self._handle_events(self._vllm.seconds_to_start() if self._vllm else None)

    def _stop_vllm(self) -> None:
        if self._vllm is None or not self._vllm.stop():
            return
        deadline = time.monotonic() + self._stop_timeout
        while self._vllm.running and (left := deadline - time.monotonic()) > 0:
            self._handle_events(left)
        if self._vllm.running:
            log.warning("vLLM did not stop within %g s and is killed", self._stop_timeout)

    def _kill_remaining(self) -> None:
        deadline = time.monotonic() + _KILL_TIMEOUT
        while kill_children() and time.monotonic() < deadline:
            self._wait(0.1)
            for _ in reap():
                pass

    def _handle_events(self, timeout: float | None) -> None:
        """Wait up to `timeout` seconds for a signal, and handle signals and ended processes."""
        for number in self._wait(timeout):
            if number in _STOP_SIGNALS:
                self._on_signal(signal.Signals(number))
            elif number == _RESTART_VLLM and self._vllm and self._vllm.running and not self._stopping:
                log.error("vLLM hangs, and is killed")
                self._vllm.kill()
        for pid, code in reap():
            self._on_end(pid, code)

    def _wait(self, timeout: float | None) -> bytes:
        """Return the numbers of the received signals, one per byte."""
        ready, _, _ = select.select([self._wakeup], [], [], timeout)
        return os.read(self._wakeup, 4096) if ready else b""

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping is not None:
            raise _SecondSignal(number)
        self._stopping = number
        if self._exit_code is None:
            log.info("%s: the service finishes its requests", number.name)
            os.kill(self._service, signal.SIGTERM)

    def _on_end(self, pid: int, code: int) -> None:
        if pid == self._service:
            # After its shutdown, uvicorn raises the signal that it received again.
            is_graceful = self._stopping and code == -signal.SIGTERM
            self._exit_code = 0 if is_graceful else shell_code(code)
            log.info("the service exited %s", "gracefully" if is_graceful else f"with {describe(code)}")
        elif self._vllm and pid == self._vllm.pid:
            self._vllm.on_end(describe(code), restart=not (self._stopping or self._exit_code))


class _RestartedProcess:
    """vLLM, which is restarted when it exits.

    pid: of the running process, the leader of its process group, or None.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.pid: int | None = None
        self._delay: float | None = None
        # In time.monotonic(). None while it runs, and if it must not run again.
        self._start_at: float | None = time.monotonic()

    @property
    def running(self) -> bool:
        return self.pid is not None

    def due(self) -> bool:
        return self.seconds_to_start() == 0.0

    def seconds_to_start(self) -> float | None:
        """Return None while it runs, and if it must not run again."""
        return None if self._start_at is None else max(0.0, self._start_at - time.monotonic())

    def start(self) -> None:
        """Start it. A failure to start counts as an exit."""
        self._start_at, self._started_at = None, time.monotonic()
        self._output = _OutputCopy()
        try:
            self.pid = self._output.spawn(self._command)
        except (OSError, RuntimeError) as error:
            self._start_later(str(error))

    def stop(self) -> bool:
        """Send SIGTERM to its process group; return False if it does not run."""
        self._start_at = None
        if self.pid is None:
            return False
        os.killpg(self.pid, signal.SIGTERM)
        return True

    def kill(self) -> None:
        """Kill its process group: a process that hangs in the GPU driver does not react to SIGTERM."""
        assert self.pid is not None
        os.killpg(self.pid, signal.SIGKILL)

    def on_end(self, result: str, restart: bool) -> None:
        """Kill the rest of its process group, and schedule the next start if it must run again."""
        assert self.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.pid = None
        if restart:
            self._start_later(result)
        else:
            log.info("vLLM exited with %s", result)

    def _start_later(self, result: str) -> None:
        run_seconds = time.monotonic() - self._started_at
        self._delay = restart_delay(self._delay, run_seconds)
        self._start_at = time.monotonic() + self._delay
        log.warning(
            "vLLM exited after %.0f s with %s; restart in %g s",
            run_seconds,
            result,
            self._delay,
            extra=fields(last_lines=self._output.last_lines() or None),
        )


class _OutputCopy:
    """Copies the output of a process to standard output, and remembers its last lines.

    A thread does this, because the reader of standard output may be slow.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._thread: threading.Thread | None = None

    def spawn(self, command: list[str]) -> int:
        """Start a command with its output in the pipe; return its PID. Raises OSError or RuntimeError."""
        reader, writer = os.pipe()
        try:
            self._thread = threading.Thread(target=self._copy, args=(reader,), daemon=True)
            self._thread.start()
            return spawn(command, output=writer)
        finally:
            os.close(writer)

    def last_lines(self) -> str:
        """Return the last lines of an ended process."""
        if self._thread and self._thread.ident:
            self._thread.join(timeout=1)
        return "\n".join(self._tail.decode(errors="replace").splitlines()[-_LAST_LINES:])

    def _copy(self, reader: int) -> None:
        while chunk := os.read(reader, 65_536):
            self._tail = (self._tail + chunk)[-_LAST_BYTES:]
            # Standard output may be closed; the process must not get a broken pipe for that.
            with suppress(OSError):
                while chunk:
                    chunk = chunk[os.write(1, chunk) :]
        os.close(reader)


def _signal_pipe() -> int:
    """Return a file descriptor from which the numbers of received signals can be read."""
    wakeup, signals = os.pipe()
    for end in (wakeup, signals):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(signals)
    for number in (*_STOP_SIGNALS, _RESTART_VLLM, signal.SIGCHLD):
        # A signal that was ignored before the start stays ignored, as nohup requires.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    return wakeup


def main() -> NoReturn:
    """Run the commands of the command line; see the usage at the top of this file."""
    _open_standard_files()
    configure_logging("info", log_format(os.environ))
    try:
        stop_timeout, service, vllm = _parse(sys.argv[1:])
        code = Supervisor(service, vllm, stop_timeout).run()
    except (ValueError, OSError) as error:
        log.error("%s", error)
        code = 1
    sys.exit(code)


def _open_standard_files() -> None:
    """Open closed standard files. Otherwise a pipe would get their numbers, and uvicorn would fail."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


def _parse(arguments: list[str]) -> tuple[float, list[str], list[str]]:
    stop_timeout, *commands = arguments
    end = commands.index("--") if "--" in commands else len(commands)
    return float(stop_timeout), commands[:end], commands[end + 1 :]


if __name__ == "__main__":
    main()
