"""GIF files of 8 MB that consist of comments of one byte."""

from multiprocessing.synchronize import Event

from PIL import Image

from benchmarks.attack.callers import Address, Outcomes, post, repeat
from tests.samples import encoded

CALLERS = 8
# The header and the screen descriptor, whose flags say that no table of colors follows.
_START = 13


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    small = encoded(Image.new("1", (40, 30), 1), "GIF")
    table = 3 * 2 ** ((small[10] & 7) + 1) if small[10] & 0x80 else 0
    start = _START + table
    data = small[:start] + b"!\xfe\x01a\0" * 1_600_000 + small[start:]
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)
