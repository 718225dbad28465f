"""JPEG files of 8 MB that consist of empty APP1 segments."""

from multiprocessing.synchronize import Event

from PIL import Image

from benchmarks.attack.callers import Address, Outcomes, post, repeat
from tests.samples import encoded

CALLERS = 8


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    small = encoded(Image.new("L", (40, 30), 255), "JPEG")
    data = small[:2] + b"\xff\xe1\0\x02" * 2_000_000 + small[2:]
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)
