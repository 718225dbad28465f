"""Memory: reused between pages and returned to the system, with glibc; buffers; the collector of cycles."""

import asyncio
import ctypes
import gc
import io
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import Any, Protocol

# Parameters of mallopt, by their numbers in malloc.h.
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
_SETTINGS = {
    # One arena for all threads. With several, a thread cannot reuse the memory that another one freed.
    _ARENA_MAX: 1,
    # Pages of a usual size are on the heap, because a new mapping for each page costs more than its decoding.
    # Pillow splits large images into blocks of 16 MiB, which are mapped and return to the system at once.
    _MMAP_THRESHOLD: 15 * 2**20,
    _TRIM_THRESHOLD: 256 * 2**20,
}

# A decoding process uses the memory of one page for the next, also of a large image.
WORKER_SETTINGS = {_ARENA_MAX: 1, _MMAP_THRESHOLD: 31 * 2**20, _TRIM_THRESHOLD: 96 * 2**20}

_CONTAINERS = (dict, list)
# Bytes that are copied without a pause for other threads: 0.2 ms.
_COPIED_AT_ONCE = 2**20

# Searches among new objects before one in all of them.
_NEVER = 2**30

_PAUSE_SECONDS = 5.0


class PageCounts(Protocol):
    """Counters of pages."""

    @property
    def pages_done(self) -> int:
        """Pages that were finished since the start."""

    @property
    def pages_taken(self) -> int:
        """Pages in progress."""


def configure_malloc(settings: Mapping[int, int] = _SETTINGS) -> None:
    """Let all threads share freed memory. Call this before the first thread starts."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in settings.items():
            mallopt(name, value)


def preallocated(size: int) -> io.BytesIO:
    """Return a buffer that is filled part by part, and truncated at the end; its value is not copied.

    The kernel provides the memory as it is written. A buffer that grows is copied again and again, and each
    copy holds the interpreter lock.
    """
    return io.BytesIO(bytes(size))


def joined(parts: Sequence[bytes | memoryview]) -> bytes:
    """Return the parts as one value, as `b"".join` does, which would hold the interpreter lock to its end."""
    size = sum(map(len, parts))
    if size <= _COPIED_AT_ONCE:
        return b"".join(parts)
    whole = preallocated(size)
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _COPIED_AT_ONCE):
            whole.write(view[start : start + _COPIED_AT_ONCE])
    return whole.getvalue()


class SmallCollections:
    """Blocks in which the collector of cycles looks at new objects only; they can overlap, also in threads.

    A search in all objects holds the interpreter lock, and for a large JSON it is repeated as their number
    grows. A pause of the collector would not help: its next search would have all the new objects.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._blocks = 0
        self._thresholds = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            self._blocks += 1
            if self._blocks == 1:
                self._thresholds = gc.get_threshold()
                gc.set_threshold(*self._thresholds[:2], _NEVER)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                gc.set_threshold(*self._thresholds)


SMALL_COLLECTIONS = SmallCollections()
"""Used as `with SMALL_COLLECTIONS:`."""


def release(values: list[Any]) -> None:
    """Release values one by one: lists and objects of JSON, which nothing uses any more, or others.

    The release of the last reference to a tree of values would hold the interpreter lock until all are free.
    """
    while values:
        value = values.pop()
        if isinstance(value, dict | list):
            parts = value.values() if isinstance(value, dict) else value
            # Many empty ones are freed in a moment.
            values += [part for part in parts if part and type(part) in _CONTAINERS]
            value.clear()


def trim_malloc() -> None:
    """Return freed memory to the system."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


async def trim_when_idle(pages: PageCounts, also: Callable[[], None], pause: float = _PAUSE_SECONDS) -> None:
    """Return freed memory to the system while no page is in progress. Runs until cancelled.

    also: does the same for other processes.
    """
    seen = 0
    while True:
        await asyncio.sleep(pause)
        if pages.pages_done != seen and not pages.pages_taken:
            seen = pages.pages_done
            also()
            await asyncio.to_thread(trim_malloc)
