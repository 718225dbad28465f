"""Limits of a worker process, which the process cannot lift."""

import ctypes
import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ocr_service.runtime.processes import landlock, seccomp

# Numbers of prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    # Fonts are files, and a document and its pixels are two more.
    resource.RLIMIT_NOFILE: 64,
}
# When memory runs out, the kernel kills a worker rather than the service.
_FIRST_TO_KILL = "900"

# The size of this process, as a file that stays open; None outside a worker.
_statm: int | None = None

_libc = ctypes.CDLL(None, use_errno=True)


def enter(parent: int, readable: Sequence[Path]) -> None:
    """Restrict this process for good. It dies with its parent; if that has gone already, at once.

    readable: folders that it may read beside libraries and fonts.
    """
    global _statm
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_KILL)
    # Libraries write there about damaged files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _statm = os.open("/proc/self/statm", os.O_RDONLY)
    for limit, value in _LIMITS.items():
        _, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowest, lowest))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    landlock.restrict(readable)
    seccomp.restrict()


def limit_cpu(seconds: float) -> None:
    """Let the kernel kill this process after so much more CPU time; 0 for no limit.

    The signal ends the process even inside C code. CPU time, because other processes may be busy, too.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)


def limit_memory(more: int) -> None:
    """Let allocations fail after so many bytes more than the process has now. For workers only."""
    if _statm is None:
        return
    pages = int(os.pread(_statm, 100, 0).split()[0])
    limit = pages * resource.getpagesize() + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
