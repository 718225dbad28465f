"""Requests for the answers that are longest to write: the OpenAPI document and the metrics."""

from itertools import cycle
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, repeat, send

CALLERS = 8
_PATHS = (b"/openapi.json", b"/metrics")


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the requests in turn."""
    requests = cycle(
        b"GET %s HTTP/1.1\r\nHost: attack\r\nConnection: close\r\n\r\n" % path for path in _PATHS
    )
    return repeat(lambda: send(address, next(requests)), CALLERS, stop)
