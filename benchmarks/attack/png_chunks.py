"""PNG files of 8 MB that consist of empty private chunks."""

import zlib
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat
from tests.samples import small_png

CALLERS = 8
_TYPE = b"prVt"
# The signature and IHDR.
_START = 33


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    small = small_png()
    chunk = bytes(4) + _TYPE + zlib.crc32(_TYPE).to_bytes(4)
    data = small[:_START] + chunk * 700_000 + small[_START:]
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)
