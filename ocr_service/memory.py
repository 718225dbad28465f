"""How the process's memory is laid out."""

import ctypes

# From glibc's malloc.h.
_M_ARENA_MAX = -8
_ARENAS = 2


def share_arenas() -> None:
    """Let all threads allocate from two arenas; call it before there are threads.

    Else glibc gives each an arena of its own, up to eight a core, and pages that one thread has let go of are
    of no use to the next. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
