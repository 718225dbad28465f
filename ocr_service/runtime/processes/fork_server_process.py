"""Main program of the fork server: imports the code of the workers once, and then forks them in milliseconds.

`python -m ocr_service.runtime.processes.fork_server_process MODULE DESCRIPTOR NICENESS ARGUMENTS`. It ends,
with all workers, when the service closes the socket or dies.
"""

import gc
import importlib
import logging
import os
import signal
import socket
import sys
import warnings
from contextlib import suppress

from ocr_service.runtime.memory import WORKER_SETTINGS, configure_malloc
from ocr_service.runtime.processes import sandbox
from ocr_service.runtime.processes.calls import Handler
from ocr_service.runtime.processes.commands import FORK, KILL, LOWER_PRIORITY, NICENESS, TELL_EXIT_CODE
from ocr_service.runtime.processes.worker import serve

_MAX_COMMAND = 64
# Exit codes that are kept until the service asks for them.
_MAX_CODES = 100


class _Server:
    """Forks and ends workers on command."""

    def __init__(self, control: socket.socket, handler: Handler) -> None:
        self._control = control
        self._handler = handler
        self._pid = os.getpid()
        # Workers that are not reaped yet, so that their numbers belong to no other process.
        self._workers: set[int] = set()
        self._exit_codes: dict[int, int] = {}

    def run(self) -> None:
        """Obey the service until it closes the socket."""
        signal.signal(signal.SIGCHLD, self._reap)
        while True:
            command, files, _, _ = socket.recv_fds(self._control, _MAX_COMMAND, 1)
            if not command:
                break
            name, _, argument = command.partition(b" ")
            if name == FORK:
                self._fork(files[0])
            elif name == TELL_EXIT_CODE:
                self._tell_exit_code(int(argument), files[0])
            elif (pid := int(argument)) in self._workers:
                obey(name, pid)
        for pid in list(self._workers):
            obey(KILL, pid)

    def _fork(self, connection: int) -> None:
        # Blocked, so that a worker is not reaped before it is in the set.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid:
            self._workers.add(pid)
            os.close(connection)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            return
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            self._control.close()
            sandbox.enter(self._pid, self._handler.readable)
            serve(socket.socket(fileno=connection), self._handler)
        finally:
            os._exit(0)

    def _tell_exit_code(self, pid: int, reply: int) -> None:
        """Send the exit code of a worker that has closed its connection, if it is known."""
        if pid in self._workers:
            # Otherwise a worker that closes its connection and runs on would stop the server here.
            obey(KILL, pid)
            with suppress(ChildProcessError):
                self._ended(pid, os.waitpid(pid, 0)[1])
        code = self._exit_codes.pop(pid, None)
        with socket.socket(fileno=reply) as connection, suppress(OSError):
            if code is not None:
                connection.sendall(b"%d" % code)

    def _reap(self, *_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                self._ended(*ended)

    def _ended(self, pid: int, status: int) -> None:
        self._workers.discard(pid)
        self._exit_codes[pid] = os.waitstatus_to_exitcode(status)
        if len(self._exit_codes) > _MAX_CODES:
            del self._exit_codes[next(iter(self._exit_codes))]


def obey(name: bytes, pid: int) -> None:
    """Kill or slow a worker, which can have ended: an error would end the server and all workers."""
    with suppress(ProcessLookupError):
        if name == KILL:
            os.kill(pid, signal.SIGKILL)
        elif name == LOWER_PRIORITY:
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


def main(module: str, descriptor: str, niceness: str, *arguments: str) -> None:
    """Prepare everything that all workers need, and serve."""
    logging.disable()
    warnings.simplefilter("ignore")
    os.nice(int(niceness))
    configure_malloc(WORKER_SETTINGS)
    handler: Handler = importlib.import_module(module).make_handler(*arguments)
    # Otherwise the garbage collection of each worker would copy the memory that all share.
    gc.collect()
    gc.freeze()
    _Server(socket.socket(fileno=int(descriptor)), handler).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
