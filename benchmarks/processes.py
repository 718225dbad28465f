"""CPU and memory use of a process, from the kernel counters."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads, in user and kernel mode."""
    return sum(_ticks(pid)[:2]) / _TICKS


def cpu_seconds_of_tree(pid: int) -> float:
    """CPU seconds of a process, of its descendants, and of children that have ended."""
    return sum(sum(_ticks(each)) for each in _tree(pid)) / _TICKS


def _ticks(pid: int) -> list[int]:
    """Return the ticks in user and kernel mode: its own, and of its children that have ended."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(ticks) for ticks in after_name[11:15]]


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _children(thread):
            yield from _tree(child)


def _children(thread: Path) -> list[int]:
    try:
        return [int(child) for child in thread.read_text().split()]
    except OSError:
        # The thread has ended.
        return []


def memory_of_tree_mib(pid: int) -> float:
    """Memory of a process and of its descendants now, in MiB; what they share counts once."""
    return sum(_proportional(each) for each in _tree(pid)) / 1024


def _proportional(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        # It has ended.
        return 0
    return int(rollup.partition("Pss:")[2].split()[0])


def rss_mib(pid: int) -> float:
    """Resident memory now, in MiB."""
    return _memory(pid, "VmRSS")


def peak_rss_mib(pid: int) -> float:
    """Peak resident memory so far, in MiB."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(name)


def tree_pss_mib(pid: int) -> float:
    """Memory of a process and its descendants now, in MiB; shared pages count once."""
    return sum(_pss_mib(each) for each in [pid, *_descendants(pid)])


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield child
                yield from _descendants(child)


def _pss_mib(pid: int) -> float:
    """Return 0 for a process that has just ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
