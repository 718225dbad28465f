"""One run of a job in a worker process."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ocr_service.runtime.processes.calls import Call
from ocr_service.runtime.processes.worker_process import WorkerProcess

# A process that computes nothing for so long, in seconds, has a deadlock.
_LONGEST_WAIT = 20.0
# Seconds between two looks at the memory of a process, which grows by at most 1 GiB a second.
_MEMORY_PAUSE = 0.2


class Attempt:
    """A call that a process answers; the files can be closed at once, and `end` must follow.

    memory: for the pixels; None if the call makes none.
    """

    def __init__(
        self, process: WorkerProcess, call: Call, files: Sequence[int], memory: memoryview | None
    ) -> None:
        self.process = process
        self.memory = memory
        self._cpu_before = process.cpu_seconds
        process.send(call, files)
        self._reply = asyncio.create_task(process.receive())

    @property
    def has_ended(self) -> bool:
        """Whether the process has replied or died."""
        return self._reply.done()

    @property
    def cpu_seconds(self) -> float:
        """CPU time since the call."""
        return self.process.cpu_seconds - self._cpu_before

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end or for so many seconds of CPU time; return whether the end came first."""
        latest = time.monotonic() + _LONGEST_WAIT
        while (left := seconds - self.cpu_seconds) > 0 and time.monotonic() < latest:
            # The clock counts a little more slowly than the time that passes.
            if (await asyncio.wait([self._reply], timeout=left + 0.01))[0]:
                return True
        return self.has_ended

    async def ends_below(self, most_memory: int) -> None:
        """Wait for the end. Kill the process if it has more than so many bytes of memory."""
        while not (await asyncio.wait([self._reply], timeout=_MEMORY_PAUSE))[0]:
            if self.process.resident_bytes > most_memory:
                self.process.kill()

    async def reply(self) -> Any:
        """Return the reply; raises WorkerEnded or InvalidReply."""
        return await asyncio.shield(self._reply)

    async def end(self) -> bool:
        """Kill the process if it has not replied, and wait until its memory is free.

        Return whether the process can be used again.
        """
        if self.has_ended and not self._reply.cancelled() and self._reply.exception() is None:
            return True
        self.process.kill()
        try:
            # It may reply before it dies.
            with suppress(Exception):
                await asyncio.shield(self._reply)
        finally:
            self._reply.cancel()
        return False
