"""Measurements that anyone can run again: each prints a table with ratios taken in one run."""

import sys
import time
from collections.abc import Callable, Mapping


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def by_turns(
    calls: Mapping[str, Callable[[], object]], turns: int, warm_up: int = 0
) -> dict[str, list[float]]:
    """Make the calls in turn, again and again; return the seconds of each.

    warm_up: the first so many turns warm caches and connections, and are not counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(-warm_up, turns):
        for name, call in calls.items():
            spent = seconds(call)
            if turn >= 0:
                taken[name].append(spent)
        if turn % 20 == 0:
            print(f"turn {turn} of {turns}", file=sys.stderr, flush=True)
    return taken
