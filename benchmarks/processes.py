"""CPU and memory use of a process, from the kernel counters. The processes below it may end at any moment."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the process numbers of the children that have not ended."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found += [child for child in map(int, thread.read_text().split()) if not _is_zombie(child)]
    return found


def command_line(pid: int) -> bytes:
    """Return the arguments, with a zero byte after each; nothing if the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads, in user and kernel mode."""
    return sum(_ticks(pid)[:2]) / _TICKS


def cpu_seconds_of_tree(pid: int) -> float:
    """CPU seconds of a process, of its descendants, and of children that have ended."""
    ticks = sum(_ticks(pid))
    for descendant in _descendants(pid):
        with suppress(OSError):  # it has ended: its parent has its time
            ticks += sum(_ticks(descendant))
    return ticks / _TICKS


def memory_of_tree_mib(pid: int) -> float:
    """Memory of a process and of its descendants now, in MiB; what they share counts once."""
    return sum(_proportional_kib(each) for each in (pid, *_descendants(pid))) / 1024


def rss_mib(pid: int) -> float:
    """Resident memory now, in MiB."""
    return _memory_mib(pid, "VmRSS")


def peak_rss_mib(pid: int) -> float:
    """Peak resident memory so far, in MiB."""
    return _memory_mib(pid, "VmHWM")


def _descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from _descendants(child)


def _is_zombie(pid: int) -> bool:
    try:
        return _fields(pid)[0] == "Z"
    except OSError:
        return True


def _ticks(pid: int) -> list[int]:
    """Return the ticks in user and kernel mode: its own, and of its children that have ended."""
    return [int(ticks) for ticks in _fields(pid)[11:15]]


def _fields(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) after the name, which may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _proportional_kib(pid: int) -> int:
    """Return 0 for a process that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _memory_mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(name)
