"""Uploads of almost 50 MB, sent at once, of which the rest follows a byte at a time; 1 GB together."""

import socket
from collections import Counter
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, connect, ends, head

_COUNT, _SENT, _WHOLE = 22, 48_000_000, 50_000_000
# Seconds between two bytes.
_PAUSE = 1.0


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the uploads."""
    opened: list[socket.socket] = []
    refused = 0
    for _ in range(_COUNT):
        try:
            opened.append(connect(address, head("/ocr", _WHOLE)))
            opened[-1].sendall(b"%PDF-" + bytes(_SENT))
        except OSError:
            refused += 1
    while not stop.wait(_PAUSE):
        for each in opened:
            _send_byte(each)
    return ends(opened, stop) + Counter({"refused while sending": refused})


def _send_byte(opened: socket.socket) -> None:
    try:
        opened.sendall(b"\0")
    except OSError:
        return
