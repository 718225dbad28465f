"""CPU and memory use of a process, from the kernel counters."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all threads, in user and kernel mode."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


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
