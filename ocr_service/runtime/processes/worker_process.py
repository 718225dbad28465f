"""One worker process as the service sees it."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocr_service.runtime.processes import frames
from ocr_service.runtime.processes.calls import Call
from ocr_service.runtime.processes.commands import OUT_OF_MEMORY
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.shared_memory import SharedMemories
from ocr_service.runtime.threads import open_in_thread

log = logging.getLogger(__name__)

_PART = 2**18
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# In the number of a clock, the process number is above these bits; 2 stands for all its CPU time.
_CLOCK_BITS, _CPU_CLOCK = 3, 2


class WorkerEnded(Exception):
    """The process ended before it replied: it crashed, exceeded a limit or was killed."""


class KilledBySystem(WorkerEnded):
    """The system killed the process, most likely because the memory of the machine or container ran out."""


class NotStarted(Exception):
    """The fork server does not work, which is no fault of the document."""


class WorkerProcess:
    """A worker, which answers one call at a time; `start` makes it.

    pid: its process number. document: identity of the document that the worker holds, or None.
    is_slowed: the worker has a low priority, which it cannot get rid of.
    memories: for the pixels that it makes. No other worker can see them.
    """

    def __init__(self, server: ForkServer, connection: socket.socket, classes_from: Sequence[str]) -> None:
        self.document: object | None = None
        self.is_slowed = False
        self.memories = SharedMemories()
        self._server = server
        self._connection = connection
        self._classes_from = classes_from
        self.pid = 0
        self._is_killed = False
        self._clock = 0

    @classmethod
    async def start(cls, server: ForkServer, classes_from: Sequence[str]) -> "WorkerProcess":
        """Fork a worker; raises NotStarted."""
        connection = await open_in_thread(server.fork, socket.socket.close)
        process = cls(server, connection, classes_from)
        try:
            process.pid = int(await process.receive())
        except WorkerEnded as error:
            process.close()
            raise NotStarted("the fork server has ended; its message is on standard error") from error
        except BaseException:
            process.close()
            raise
        process._clock = (~process.pid << _CLOCK_BITS) | _CPU_CLOCK
        return process

    @property
    def is_idle(self) -> bool:
        """Whether the process lives and waits for a call."""
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # The end of the connection, or more than the reply.
        return False

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the process so far; 0 after its end."""
        with suppress(OSError):
            return time.clock_gettime(self._clock)
        return 0.0

    @property
    def resident_bytes(self) -> int:
        """Memory that the process uses now, with what it shares with other processes; 0 after its end."""
        with suppress(OSError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        return 0

    def send(self, call: Call, files: Sequence[int] = ()) -> None:
        """Send a call; it is small, so that this does not block."""
        with suppress(BrokenPipeError, ConnectionResetError):
            frames.send(self._connection, call, files)

    def kill(self) -> None:
        """Let the process end, whatever it does."""
        self._is_killed = True
        self._server.kill(self.pid)

    def slow_down(self) -> None:
        """Give the process a low priority, for good."""
        self.is_slowed = True
        self._server.lower_priority(self.pid)

    def close(self) -> None:
        """Close the connection; a process that is not busy ends."""
        self._connection.close()
        self.memories.trim(0)

    async def receive(self) -> Any:
        """Return the next reply; raises WorkerEnded, KilledBySystem or InvalidReply."""
        loop = asyncio.get_running_loop()
        frame = bytearray()
        while missing := frames.missing(frame):
            try:
                part = await loop.sock_recv(self._connection, min(missing, _PART))
            except ConnectionResetError:
                part = b""
            if not part:
                raise await self._end()
            frame += part
        return frames.reply_in(frame, self._classes_from)

    async def _end(self) -> WorkerEnded:
        """Return the error of a process that has closed its connection, and log the cause."""
        if self._is_killed or not self.pid:
            return WorkerEnded()
        code = await asyncio.to_thread(self._server.exit_code, self.pid)
        log.warning("a worker process has ended: %s", _cause(code))
        return KilledBySystem() if code == -signal.SIGKILL else WorkerEnded()


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "its exit code is not known"
    if exit_code == OUT_OF_MEMORY:
        return "it reached its limit of memory"
    if exit_code == -signal.SIGPROF:
        return "it reached its limit of CPU time"
    if exit_code == -signal.SIGKILL:
        return "SIGKILL, which is not from the service: is the memory full?"
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
