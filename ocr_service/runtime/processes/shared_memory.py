"""Memory that the service and one worker process share.

It is used again for other pages, because the kernel takes more time to provide memory than a decoder to fill
it.
"""

import fcntl
import itertools
import mmap
import os
import weakref
from collections.abc import Iterable

# Sizes are rounded up, so that pages of almost the same size share memory.
_STEP = 2**20
# Memory that a process keeps for later work: for some grey pages of A4 at 300 dpi, or two in color.
_MAX_KEPT_BYTES = 80 * 2**20
# Each is an open file in the worker, which may have few. An engine can hold small pages of many requests.
_MAX_KEPT = 24

_numbers = itertools.count(1)


class SharedMemory:
    """A file in memory, mapped so that the service would write into a copy.

    number: its name in calls. file: descriptor for the worker.
    """

    def __init__(self, size: int) -> None:
        self.number = next(_numbers)
        self.size = -(-max(1, size) // _STEP) * _STEP
        self.file = os.memfd_create("pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, self.size)
        # If the worker made the file shorter, reading it would end the service.
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._mapping = mmap.mmap(self.file, self.size, flags=mmap.MAP_PRIVATE)
        self._lent: weakref.ref[memoryview] | None = None

    def lend(self) -> memoryview:
        """Return the memory. It is in use as long as this object or something that is laid over it lives."""
        view = memoryview(self._mapping)
        self._lent = weakref.ref(view)
        return view

    @property
    def is_free(self) -> bool:
        """Whether nothing uses the memory."""
        return self._lent is None or self._lent() is None

    def close(self) -> None:
        """Close the file; images that are laid over the memory keep it."""
        os.close(self.file)


class SharedMemories:
    """The memories that are shared with one worker."""

    def __init__(self) -> None:
        self._kept: list[SharedMemory] = []

    def take(self, size: int) -> SharedMemory:
        """Return free memory of at least this size, and at most four times as much."""
        for memory in self._kept:
            if memory.is_free and size <= memory.size <= max(4 * size, _STEP):
                return memory
        memory = SharedMemory(size)
        self._kept.append(memory)
        return memory

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the memories that may be used again."""
        return tuple(memory.number for memory in self._kept)

    def trim(self, most: int = _MAX_KEPT_BYTES) -> None:
        """Drop the oldest ones beyond so many bytes, or beyond their number."""
        while len(self._kept) > _MAX_KEPT or sum(memory.size for memory in self._kept) > most:
            self._kept.pop(0).close()


class MappedMemories:
    """The same in the worker: mapped for writing."""

    def __init__(self) -> None:
        self._mapped: dict[int, mmap.mmap] = {}

    def get(self, number: int, file: int) -> mmap.mmap:
        """Return the memory of this number, whose file the service has sent."""
        if number not in self._mapped:
            self._mapped[number] = mmap.mmap(file, 0)
        return self._mapped[number]

    def keep(self, numbers: Iterable[int]) -> None:
        """Forget all others."""
        for number in self._mapped.keys() - set(numbers):
            # It ends with its last user, which may be an object that is not collected yet.
            del self._mapped[number]
