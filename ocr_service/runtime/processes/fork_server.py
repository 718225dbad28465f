"""The fork server as the service sees it."""

import atexit
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ocr_service.runtime.processes.commands import FORK, KILL, LOWER_PRIORITY, NICENESS, TELL_EXIT_CODE

# Seconds for an exit code, which is only for the log and the kind of the error.
_PATIENCE = 5.0
_ROOT = Path(__file__).parents[3]
# All that Python and the C libraries need. The environment of the service has passwords.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
# A process with threads cannot be forked safely, and each worker has one core.
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}


class ForkServer:
    """Starts the process on demand. If it dies, with all workers, the next `fork` starts another.

    module: has `make_handler`, which runs once in the fork server; all workers inherit its result.
    arguments: of `make_handler`. niceness: of all workers, beside the service.
    """

    def __init__(self, module: str, *arguments: str, niceness: int = NICENESS) -> None:
        self._module = module
        self._niceness = niceness
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = threading.Lock()
        atexit.register(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether the process runs, and with it the workers."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process number; None if it was not started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process if it does not run. It imports its modules while this returns already."""
        with self._lock:
            if not self.is_running:
                self._stop()
                self._start()

    def fork(self) -> socket.socket:
        """Return the connection to a new worker, which sends its process number first; blocks."""
        self.start()
        ours, theirs = socket.socketpair()
        with theirs:
            self._command(FORK, [theirs.fileno()])
        ours.setblocking(False)
        return ours

    def kill(self, pid: int) -> None:
        """Kill a worker; nothing happens if it has ended."""
        self._command(b"%b %d" % (KILL, pid))

    def lower_priority(self, pid: int) -> None:
        """Let a worker compute more slowly than all others, for good."""
        self._command(b"%b %d" % (LOWER_PRIORITY, pid))

    def exit_code(self, pid: int) -> int | None:
        """Return the exit code of a worker that ends, negative for a signal; None if unknown. Blocks."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._command(b"%b %d" % (TELL_EXIT_CODE, pid), [theirs.fileno()])
            ours.settimeout(_PATIENCE)
            with suppress(OSError, ValueError):
                return int(ours.recv(16))
        return None

    def stop(self) -> None:
        """End the process and all workers."""
        with self._lock:
            self._stop()

    def _command(self, command: bytes, files: "list[int] | tuple[()]" = ()) -> None:
        # If the process has just died, the connection to the worker ends, too.
        if self._control is not None:
            with suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._control, [command], files)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    f"{__package__}.fork_server_process",
                    self._module,
                    str(theirs.fileno()),
                    str(self._niceness),
                    *self._arguments,
                ],
                cwd=_ROOT,
                env=_ONE_THREAD | {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Signals of the terminal do not reach it. In a session of its own, the kernel would share the
                # CPU between sessions, whatever the priorities are.
                process_group=0,
            )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._control is not None:
            self._control.close()
            self._control = None
            process.wait()
