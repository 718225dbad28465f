"""Connections that send nothing: more than the files that a service could open by default."""

from collections import Counter
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import CUT_OFF, Address, Outcomes, connect, ends

_COUNT = 1100


def attack(address: Address, stop: Event) -> Outcomes:
    """Open the connections, and open closed ones again."""
    outcomes: Outcomes = Counter()
    opened = []
    for _ in range(_COUNT):
        try:
            opened.append(connect(address, b""))
        except OSError:
            outcomes[CUT_OFF] += 1
    return outcomes + ends(opened, stop)
