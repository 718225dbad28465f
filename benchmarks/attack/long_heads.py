"""Requests with heads of thousands of fields, and with the longest ones that the service accepts."""

from itertools import cycle
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, repeat, send

CALLERS = 8
_LINES = (
    (b"?" + b"%41&" * 15_000, b""),
    (b"", b"a:\r\n" * 15_000),
    (b"?" + b"%41" * 2_600, b""),
    (b"", b"Cookie: " + b"a=b;" * 4_000 + b"\r\n"),
)


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the requests in turn."""
    requests = cycle(
        b"GET /version%s HTTP/1.1\r\nHost: attack\r\nConnection: close\r\n%s\r\n" % each for each in _LINES
    )
    return repeat(lambda: send(address, next(requests)), CALLERS, stop)
