"""JSON bodies of empty lists: 15 MB of them, and as many as the service accepts."""

from itertools import cycle
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 6
# Objects, each with so many lists.
_COUNTS = ((1, 5_000_000), (10, 24_000))


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the bodies in turn."""
    bodies = cycle([_body(*counts) for counts in _COUNTS])
    path = "/restructure-pages"
    return repeat(lambda: post(address, path, next(bodies), "application/json"), CALLERS, stop)


def _body(objects: int, count: int) -> bytes:
    lists = b'{"b":[%s]}' % b",".join([b"[]"] * count)
    values = b",".join([lists] * objects)
    return b'{"pages":[{"prunedResult":{"model_settings":{},"parsing_res_list":[],"a":[%s]}}]}' % values
