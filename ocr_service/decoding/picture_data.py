"""Whether the data of a picture in a PDF is whole. Pure functions, which decode as little as they can.

PDFium draws what it can decode, and the rest black, grey or not at all. Not all damage is found: changed
bytes in the middle can decode to other pixels, and only zlib has a sum.
"""

import re
import zlib
from collections.abc import Callable, Mapping

# A slice of the data, and the most that is decompressed of it at once.
_SLICE = 2**16
_ZLIB_HEADER, _ZLIB_SUM = 2, 4

_JPEG_START, _JPEG_END, _START_OF_SCAN = b"\xff\xd8", 0xD9, 0xDA
# In a scan, 0xFF stands before zero or a restart; other markers end the scan, and only some can follow.
_SEGMENT = re.compile(rb"\xff+[^\x00\xff]", re.DOTALL)
# With one 0xFF, as a search for a literal first byte takes a tenth of the time.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_AFTER_A_SCAN = frozenset(
    (0xC4, 0xCC, _JPEG_END, _START_OF_SCAN, *range(0xDB, 0xDE), *range(0xE0, 0xF0), 0xFE)
)

# Two ends of line that end a fax, without and with a bit for the coding of the next line.
_FAX_ENDS = ((0x001001, 24), (0x006003, 26))
_FAX_TAIL = 8

_UNKNOWN_LENGTH = 0xFFFFFFFF

# No good picture has as many.
_MOST_SEGMENTS = 20_000

# Names of filters that decode pictures, and are the last of several.
FAX = ("CCITTFaxDecode", "CCF")
_JPEG, _JBIG2 = ("DCTDecode", "DCT"), ("JBIG2Decode",)
PICTURE_CODINGS = frozenset((*FAX, *_JPEG, *_JBIG2))


def is_whole(coding: str, data: bytes) -> bool:
    """Return False if data ends early or is damaged; coding: name of a filter of PDF."""
    check = _CHECKS.get(coding)
    return check is None or check(data)


def has_end_of_fax(data: bytes) -> bool:
    """Return whether a fax has its end; most have it, but it may be left out."""
    tail = int.from_bytes(data[-_FAX_TAIL:], "big")
    return any(
        tail >> shift & (1 << width) - 1 == end
        for end, width in _FAX_ENDS
        for shift in range(_FAX_TAIL * 8 - width)
    )


def _is_whole_flate(data: bytes) -> bool:
    stream, found, at = zlib.decompressobj(-zlib.MAX_WBITS), zlib.adler32(b""), _ZLIB_HEADER
    try:
        while at < len(data) and not stream.eof:
            pending = data[at : at + _SLICE]
            found = zlib.adler32(stream.decompress(pending, _SLICE), found)
            # At the end of the stream, both can have the same bytes.
            at += len(pending) - len(stream.unused_data or stream.unconsumed_tail)
    except zlib.error:
        return False
    # Some writers leave the sum out.
    stored = data[at : at + _ZLIB_SUM]
    return stream.eof and (len(stored) < _ZLIB_SUM or int.from_bytes(stored, "big") == found)


def _is_whole_jpeg(data: bytes) -> bool:
    """Follow the segments to the end of the picture."""
    at = data.find(_JPEG_START) + len(_JPEG_START)
    for _ in range(_MOST_SEGMENTS):
        found = _SEGMENT.match(data, at)
        if found is None or found[0][-1] == _JPEG_END:
            return found is not None
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        if found[0][-1] == _START_OF_SCAN:
            end = _END_OF_SCAN.search(data, at)
            if end is None or end[0][-1] not in _AFTER_A_SCAN:
                return False
            at = end.start()
    return False


def _is_whole_jbig2(data: bytes) -> bool:
    """Follow the segments: none is longer than the data."""
    at = 0
    for _ in range(_MOST_SEGMENTS):
        if at >= len(data):
            return at == len(data)
        start = _start_of_segment_data(data, at)
        length = int.from_bytes(data[start - 4 : start], "big")
        if length == _UNKNOWN_LENGTH:
            return True
        at = start + length
    return False


def _start_of_segment_data(data: bytes, at: int) -> int:
    """Return where the header of a segment ends, whose last four bytes are the length of its data."""
    number, flags = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 5]
    count, place = data[at + 5 : at + 6], at + 6
    referred = count[0] >> 5 if count else 0
    if referred == 7:
        referred = int.from_bytes(data[at + 5 : at + 9], "big") & 0x1FFFFFFF
        place = at + 9 + (referred + 8) // 8
    size = 1 if number <= 0x100 else 2 if number <= 0x10000 else 4
    page = 4 if flags and flags[0] & 0x40 else 1
    return place + referred * size + page + 4


_CHECKS: Mapping[str, Callable[[bytes], bool]] = {
    **dict.fromkeys(("FlateDecode", "Fl"), _is_whole_flate),
    **dict.fromkeys(_JPEG, _is_whole_jpeg),
    **dict.fromkeys(_JBIG2, _is_whole_jbig2),
}
