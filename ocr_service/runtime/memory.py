"""How the process's memory is laid out, and how it goes back to the system; where the C library is glibc."""

import asyncio
import ctypes
from typing import Protocol

# Numbers of glibc's malloc.h, and what they are set to.
_SETTINGS = {
    # One arena for all threads: else what one has let go of is of no use to the next.
    -8: 1,  # M_ARENA_MAX
    # Usual pages come from the heap and go back to it: mapping each anew costs more than decoding it. Pillow
    # has large ones in blocks of 16 MiB: those go back to the system at once, as the heap would keep them.
    -3: 15 * 2**20,  # M_MMAP_THRESHOLD
    -1: 256 * 2**20,  # M_TRIM_THRESHOLD
}

_PAUSE_SECONDS = 5.0


class Work(Protocol):
    """What is known of the pages that are read."""

    @property
    def pages_done(self) -> int:
        """Pages since the start."""

    @property
    def pages_taken(self) -> int:
        """Pages just now."""


def configure_malloc() -> None:
    """Let what is freed serve the next page, whichever thread reads it; call it before there are threads."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in _SETTINGS.items():
            mallopt(name, value)


async def trim_when_idle(work: Work, pause: float = _PAUSE_SECONDS) -> None:
    """Return freed memory to the system when no page is being read; runs until cancelled."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    seen = 0
    while malloc_trim is not None:
        await asyncio.sleep(pause)
        if work.pages_done != seen and not work.pages_taken:
            seen = work.pages_done
            await asyncio.to_thread(malloc_trim, 0)
