"""Bodies of very small chunks, for each of which the parser calls back."""

from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, repeat, send

CALLERS = 8


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the bodies."""
    head = b"POST /ocr HTTP/1.1\r\nHost: attack\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    request = head + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"
    return repeat(lambda: send(address, request), CALLERS, stop)
