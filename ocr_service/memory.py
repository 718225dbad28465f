"""How the process's memory is laid out, and how it goes back to the system; where the C library is glibc."""

import asyncio
import ctypes
from collections.abc import Callable

# From glibc's malloc.h.
_M_ARENA_MAX = -8
_ARENAS = 2

_PAUSE_SECONDS = 5.0


def share_arenas() -> None:
    """Let all threads allocate from two arenas; call it before there are threads.

    Else glibc gives each an arena of its own, up to eight a core, and what one thread has let go of is of no
    use to the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


async def give_back(pages_read: Callable[[], int], pause: float = _PAUSE_SECONDS) -> None:
    """Return freed memory to the system while pages are read and once after; runs until cancelled.

    glibc keeps what lies between pieces still in use, and with pages of many sizes that grows for long.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    seen = pages_read()
    while malloc_trim is not None:
        await asyncio.sleep(pause)
        if (now := pages_read()) != seen:
            seen = now
            await asyncio.to_thread(malloc_trim, 0)
