"""Repeatable measurements: each prints a table, with ratios from the same run."""

import sys
import time
from collections.abc import Callable, Mapping

_REPORT_INTERVAL = 3.0  # seconds


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Progress:
    """Reports progress on standard error every few seconds and at the end."""

    def __init__(self, description: str, total: int) -> None:
        self._description = description
        self._total = total
        self._done = 0
        self._reported_at = time.perf_counter()

    def step(self, count: int = 1) -> None:
        """Count finished steps."""
        self._done += count
        now = time.perf_counter()
        if now - self._reported_at > _REPORT_INTERVAL or self._done >= self._total:
            self._reported_at = now
            say(f"{self._description}: {self._done} of {self._total}")


def say(description: str) -> None:
    """Print a status message on standard error; the results are on standard output."""
    print(description, file=sys.stderr, flush=True)


def by_turns(
    calls: Mapping[str, Callable[[], object]], turns: int, warm_up: int = 0
) -> dict[str, list[float]]:
    """Run the calls in turn, several times; return the durations of each in seconds.

    warm_up: number of first turns that warm caches and connections and are not measured.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    progress = Progress("turns", warm_up + turns)
    for turn in range(-warm_up, turns):
        for name, call in calls.items():
            spent = seconds(call)
            if turn >= 0:
                taken[name].append(spent)
        progress.step()
    return taken
