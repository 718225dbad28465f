"""The bytes of a body that is arriving: the first ones in memory, the others in a file.

A slow sender holds a file, and not the memory that the documents of all requests share.
"""

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from ocr_service.api.requests.upload_disk import DiskFile, UploadDisk
from ocr_service.core.turns import UNKNOWN, Caller

# Bytes that stay in memory: many bodies are not longer, and a file is written in pieces of this size.
_MAX_IN_MEMORY = 128 * 1024
# Seconds over which the speed of a sender is averaged.
_WINDOW = 10.0


class Memory(Protocol):
    """The memory that the documents of all requests share."""

    def require(self, count: int) -> None:
        """Raise Overloaded if so many further bytes have no room."""

    def hold(self, count: int) -> None:
        """Count bytes before they are held; raises Overloaded."""

    def release(self, count: int) -> None:
        """Count bytes that are no longer held."""


class BodyBuffer:
    """Bytes to which others are added at the end; freed after the `with` block. size: all bytes so far."""

    def __init__(
        self,
        memory: Memory,
        disk: UploadDisk,
        caller: Caller = UNKNOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = 0
        self.caller = caller
        self._memory = memory
        self._disk = disk
        self._clock = clock
        # The last bytes; all of them if there is no file.
        self._tail = bytearray()
        self._file: DiskFile | None = None
        # Bytes that arrived in the last seconds, at the time of the last ones.
        self._recent = 0.0
        self._last = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.release(len(self._tail))
        if self._file is not None:
            self._file.close()

    @property
    def rate(self) -> float:
        """Bytes per second in the last seconds."""
        return self._recent * math.exp((self._last - self._clock()) / _WINDOW) / _WINDOW

    async def add(self, data: bytes) -> None:
        """Append bytes; raises Overloaded, InsufficientStorage or UploadTooSlow."""
        self._memory.hold(len(data))
        self._tail += data
        self.size += len(data)
        self._recent, self._last = self.rate * _WINDOW + len(data), self._clock()
        if len(self._tail) > _MAX_IN_MEMORY:
            self._file = self._file or await self._disk.open(self)
            await self._write(self._file)

    async def read(self, start: int = 0, count: int | None = None) -> bytes:
        """Return some bytes, or all from `start`, which are held from now on; raises as `add`."""
        count = self.size - start if count is None else count
        self._memory.hold(count)
        if self._file is None:
            return bytes(memoryview(self._tail)[start : start + count])
        await self._write(self._file)
        return await self._file.read(start, count)

    async def _write(self, file: DiskFile) -> None:
        data, self._tail = self._tail, bytearray()
        try:
            await file.write(data)
        finally:
            self._memory.release(len(data))
