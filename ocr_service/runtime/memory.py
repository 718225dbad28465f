"""Memory: its reuse between pages and its return to the system, with glibc; the collector of cycles."""

import asyncio
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# Parameters of mallopt, by their numbers in malloc.h.
_SETTINGS = {
    # One arena for all threads. With several, a thread cannot reuse the memory that another one freed.
    -8: 1,  # M_ARENA_MAX
    # Pages of a usual size are on the heap, because a new mapping for each page costs more than its decoding.
    # Pillow splits large images into blocks of 16 MiB, which are mapped and return to the system at once.
    -3: 15 * 2**20,  # M_MMAP_THRESHOLD
    -1: 256 * 2**20,  # M_TRIM_THRESHOLD
}

_PAUSE_SECONDS = 5.0


class PageCounts(Protocol):
    """Counters of pages."""

    @property
    def pages_done(self) -> int:
        """Pages that were finished since the start."""

    @property
    def pages_taken(self) -> int:
        """Pages in progress."""


def configure_malloc() -> None:
    """Let all threads share freed memory. Call this before the first thread starts."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in _SETTINGS.items():
            mallopt(name, value)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Make many objects that form no cycles, without the searches for cycles as their number grows.

    The searches hold the interpreter lock; for a large JSON, they take nine times as long as its parsing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def trim_when_idle(pages: PageCounts, pause: float = _PAUSE_SECONDS) -> None:
    """Return freed memory to the system while no page is in progress. Runs until cancelled."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    seen = 0
    while malloc_trim is not None:
        await asyncio.sleep(pause)
        if pages.pages_done != seen and not pages.pages_taken:
            seen = pages.pages_done
            await asyncio.to_thread(malloc_trim, 0)
