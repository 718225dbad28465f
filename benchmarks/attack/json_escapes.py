"""JSON bodies with a document of 54 MB in which each slash is escaped."""

from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 4


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the bodies."""
    body = b'{"file":"' + b"\\/" * 27_000_000 + b'"}'
    return repeat(lambda: post(address, "/layout-parsing", body, "application/json"), CALLERS, stop)
