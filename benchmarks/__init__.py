"""Measurements that anyone can run again: each prints a table with ratios taken in one run."""

import sys
import time
from collections.abc import Callable, Mapping

_TELL_EVERY = 3.0  # seconds


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class Progress:
    """Tells on standard error how far something is, every few seconds and at its end."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._told_at = time.perf_counter()

    def step(self, count: int = 1) -> None:
        """Note that so many more are done."""
        self._done += count
        now = time.perf_counter()
        if now - self._told_at > _TELL_EVERY or self._done >= self._total:
            self._told_at = now
            say(f"{self._what}: {self._done} of {self._total}")


def say(what: str) -> None:
    """Tell whoever waits what is being done; the results stand on standard output."""
    print(what, file=sys.stderr, flush=True)


def by_turns(
    calls: Mapping[str, Callable[[], object]], turns: int, warm_up: int = 0
) -> dict[str, list[float]]:
    """Make the calls in turn, again and again; return the seconds of each.

    warm_up: the first so many turns warm caches and connections, and are not counted.
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
