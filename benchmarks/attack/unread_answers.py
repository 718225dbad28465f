"""Answers of some megabytes that nobody reads."""

import json
import socket
from base64 import b64encode
from collections import Counter
from multiprocessing.synchronize import Event

from PIL import Image

from benchmarks.attack.callers import CUT_OFF, Address, Outcomes, connect, ends, head
from tests.samples import encoded

_COUNT = 200
_SIZE = (2000, 1500)


def attack(address: Address, stop: Event) -> Outcomes:
    """Ask for pages with their images, one after the other, and read nothing of the answers."""
    body = json.dumps({"file": b64encode(_page()).decode(), "visualize": True}).encode()
    outcomes: Outcomes = Counter()
    opened: list[socket.socket] = []
    while len(opened) < _COUNT and not stop.is_set():
        try:
            request = head("/layout-parsing", len(body), "application/json") + body
            opened.append(connect(address, request, receive_buffer=4096))
            opened[-1].recv(1, socket.MSG_PEEK)
        except OSError:
            outcomes[CUT_OFF] += 1
    outcomes["asked"] = len(opened)
    return outcomes + ends(opened, stop)


def _page() -> bytes:
    """Return an image whose noise is in its colors only, so that it is large and quickly read."""
    light = Image.new("L", _SIZE, 200)
    noise = [Image.effect_noise(_SIZE, 20) for _ in range(2)]
    return encoded(Image.merge("YCbCr", [light, *noise]), "JPEG", quality=90)
