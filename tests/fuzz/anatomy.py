"""The structure of each format: its parts, its numbers, and the fields to repair after a mutation.

A mutation that knows the structure passes the first checks, which would refuse a random one.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

# Limits of integer ranges, which parsers compare with.
TELLING_NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 16, 32, 63, 127, 128, 255, 256, 1000, 32_767, 32_768, 65_535, 65_536, 10**6, 10**9),
    *(2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1),
)

Span = tuple[int, int]
Order = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class Number:
    """An integer in a file: its offset, its size, its byte order."""

    at: int
    size: int
    order: Order


@dataclass(frozen=True, slots=True)
class Anatomy:
    """parts: spans of chunks, segments, entries or boxes. numbers: sizes, counts, offsets.

    repaired: returns the file with correct checksums and outer sizes.
    """

    parts: Callable[[bytes], Iterator[Span]]
    numbers: Callable[[bytes], Iterator[Number]]
    repaired: Callable[[bytes], bytes] = bytes


def _number(data: bytes, at: int, size: int, order: Order) -> int:
    return int.from_bytes(data[at : at + size], order)


def _words(start: int, end: int, size: int, order: Order, most: int = 16) -> Iterator[Number]:
    for at in range(start, min(end - size + 1, start + most * size), size):
        yield Number(at, size, order)


# PNG: length, kind, data, checksum.


def _png_parts(data: bytes) -> Iterator[Span]:
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + _number(data, at, 4, "big")
        if end > len(data):
            return
        yield at, end
        at = end


def _png_numbers(data: bytes) -> Iterator[Number]:
    for start, end in _png_parts(data):
        yield Number(start, 4, "big")
        if data[start + 4 : start + 8] == b"IHDR":
            yield from _words(start + 16, end - 4, 1, "big")
        if data[start + 4 : start + 8] != b"IDAT":
            yield from _words(start + 8, end - 4, 4, "big")


def _png_repaired(data: bytes) -> bytes:
    repaired = bytearray(data)
    for start, end in _png_parts(data):
        struct.pack_into(">I", repaired, end - 4, zlib.crc32(data[start + 4 : end - 4]))
    return bytes(repaired)


# JPEG and MPO: 0xFF, kind, length, data; then the pixels, in which 0xFF 0x00 is not a marker.

_JPEG_MARKER = re.compile(rb"\xff[\x01-\xfe]")


def _jpeg_parts(data: bytes) -> Iterator[Span]:
    markers = [match.start() for match in _JPEG_MARKER.finditer(data)]
    yield from pairwise([*markers, len(data)])


def _jpeg_numbers(data: bytes) -> Iterator[Number]:
    for start, end in _jpeg_parts(data):
        yield from _words(start + 1, min(end, start + 24), 1, "big", most=24)
        yield from _words(start + 2, min(end, start + 64), 2, "big", most=24)


# TIFF, also inside EXIF: directories of entries, each a tag, a type, a count, and a value or its offset.


def _tiff_layout(data: bytes) -> tuple[Order, bool]:
    return ("little" if data[:2] == b"II" else "big"), data[2:4] in (b"+\0", b"\0+")


def _tiff_directories(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the offset of the entries of each directory, and their number."""
    order, big = _tiff_layout(data)
    counter, entry, pointer = (8, 20, 8) if big else (2, 12, 4)
    at, seen = _number(data, 8 if big else 4, pointer, order), set[int]()
    while 0 < at < len(data) and at not in seen:
        seen.add(at)
        count = min(_number(data, at, counter, order), (len(data) - at) // entry)
        yield at + counter, count
        at = _number(data, at + counter + count * entry, pointer, order)


def _tiff_parts(data: bytes) -> Iterator[Span]:
    entry = 20 if _tiff_layout(data)[1] else 12
    for start, count in _tiff_directories(data):
        for number in range(count):
            yield start + number * entry, start + (number + 1) * entry


def _tiff_numbers(data: bytes) -> Iterator[Number]:
    order, big = _tiff_layout(data)
    counter, pointer = (8, 8) if big else (2, 4)
    yield Number(8 if big else 4, pointer, order)
    for start, count in _tiff_directories(data):
        yield Number(start - counter, counter, order)
        yield Number(start + count * (20 if big else 12), pointer, order)
    for start, end in _tiff_parts(data):
        yield Number(start, 2, order)
        yield Number(start + 2, 2, order)
        yield Number(start + 4, pointer, order)
        yield Number(end - pointer, 2, order)
        yield Number(end - pointer, pointer, order)


# WebP: RIFF chunks, each a kind and a length, padded to an even length.


def _webp_parts(data: bytes) -> Iterator[Span]:
    at = 12
    while at + 8 <= len(data):
        size = _number(data, at + 4, 4, "little")
        end = at + 8 + size + size % 2
        if end > len(data):
            return
        yield at, end
        at = end


def _webp_numbers(data: bytes) -> Iterator[Number]:
    for start, end in _webp_parts(data):
        yield Number(start + 4, 4, "little")
        yield from _words(start + 8, end, 1, "little", most=24)
        yield from _words(start + 8, end, 3, "little", most=6)


def _webp_repaired(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", max(len(data) - 8, 0) % 2**32) + data[8:]


# BMP: two headers of numbers, then colours and pixels.


def _bmp_parts(data: bytes) -> Iterator[Span]:
    pixels = min(_number(data, 10, 4, "little"), len(data))
    yield from pairwise(sorted({0, 14, min(54, pixels), pixels, len(data)}))


def _bmp_numbers(data: bytes) -> Iterator[Number]:
    yield from _words(2, 14, 4, "little")
    yield from _words(14, 70, 4, "little", most=14)
    yield from _words(26, 30, 2, "little")


# GIF: blocks, which begin with a comma or an exclamation mark.


def _gif_parts(data: bytes) -> Iterator[Span]:
    starts = [match.start() for match in re.finditer(rb"(?<=\x00)[,!;]", data)]
    yield from pairwise([*starts, len(data)])


def _gif_numbers(data: bytes) -> Iterator[Number]:
    yield from _words(6, 10, 2, "little")
    yield from _words(10, 13, 1, "little")
    for start, end in _gif_parts(data):
        yield from _words(start + 1, min(end, start + 9), 2, "little")
        yield from _words(start + 1, min(end, start + 14), 1, "little")


# DIB: a BMP without its first header.


def _dib_parts(data: bytes) -> Iterator[Span]:
    yield from pairwise(sorted({0, min(40, len(data)), len(data)}))


def _dib_numbers(data: bytes) -> Iterator[Number]:
    yield from _words(0, 40, 4, "little")
    yield from _words(12, 16, 2, "little")


# HEIC and AVIF: nested boxes, each a length and a kind.

_CONTAINERS = {b"iprp": 8, b"ipco": 8, b"meta": 12, b"iinf": 14, b"iref": 12, b"dinf": 8, b"jp2h": 8}


def _heic_parts(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Span]:
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        box_end = at + _number(data, at, 4, "big")
        if not at + 8 <= box_end <= end:
            return
        yield at, box_end
        inside = _CONTAINERS.get(data[at + 4 : at + 8])
        if inside is not None:
            yield from _heic_parts(data, at + inside, box_end)
        at = box_end


def _heic_numbers(data: bytes) -> Iterator[Number]:
    for start, end in _heic_parts(data):
        yield Number(start, 4, "big")
        if data[start + 4 : start + 8] != b"mdat":
            yield from _words(start + 8, end, 4, "big", most=12)
            yield from _words(start + 8, end, 2, "big", most=24)
            yield from _words(start + 8, end, 1, "big", most=32)


# JPEG 2000: boxes, and in the last one, or in a file without boxes, segments of a marker and a length.

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_START_OF_DATA = b"\xff\x93"


def _jpeg2000_parts(data: bytes) -> Iterator[Span]:
    codestream = data.find(_START_OF_CODESTREAM)
    if codestream > 0:
        yield from _heic_parts(data, end=codestream - 8)
    at = codestream + 2
    while codestream >= 0 and at + 4 <= len(data) and data[at : at + 2] != _START_OF_DATA:
        end = at + 2 + _number(data, at + 2, 2, "big")
        yield at, end
        at = end


def _jpeg2000_numbers(data: bytes) -> Iterator[Number]:
    for start, end in _jpeg2000_parts(data):
        for size in (4, 2, 1):
            yield from _words(start, end, size, "big", most=48 // size)


# PDF: objects; the numbers are text, see `mutations`.

_PDF_OBJECT = re.compile(rb"\d+ \d+ obj\b.*?\bendobj\s", re.DOTALL)
_PDF_LENGTH = re.compile(rb"/Length \d+(?=[^\n]*>>\s*stream\r?\n(.*?)\r?\nendstream)", re.DOTALL)


def _pdf_parts(data: bytes) -> Iterator[Span]:
    for found in _PDF_OBJECT.finditer(data):
        yield found.span()


def _pdf_repaired(data: bytes) -> bytes:
    """Rewrite the lengths and the cross-reference table; the part after the table stays."""
    data = _PDF_LENGTH.sub(lambda found: b"/Length %d" % len(found[1]), data)
    places = {int(data[start:end].split(None, 1)[0]): start for start, end in _pdf_parts(data)}
    table = data.rfind(b"\nxref")
    trailer = data.find(b"trailer", table)
    if table < 0 or trailer < 0:
        return data
    rows = b"".join(b"%d 1\n%010d 00000 n \n" % place for place in sorted(places.items()))
    dictionary = data[trailer : data.find(b"startxref", trailer)]
    return data[: table + 1] + b"xref\n" + rows + dictionary + b"startxref\n%d\n%%%%EOF\n" % (table + 1)


def _no_numbers(data: bytes) -> Iterator[Number]:
    yield from ()


ANATOMY = {
    "PNG": Anatomy(_png_parts, _png_numbers, _png_repaired),
    "JPEG": Anatomy(_jpeg_parts, _jpeg_numbers),
    "MPO": Anatomy(_jpeg_parts, _jpeg_numbers),
    "TIFF": Anatomy(_tiff_parts, _tiff_numbers),
    "WEBP": Anatomy(_webp_parts, _webp_numbers, _webp_repaired),
    "BMP": Anatomy(_bmp_parts, _bmp_numbers),
    "DIB": Anatomy(_dib_parts, _dib_numbers),
    "GIF": Anatomy(_gif_parts, _gif_numbers),
    "HEIC": Anatomy(_heic_parts, _heic_numbers),
    "AVIF": Anatomy(_heic_parts, _heic_numbers),
    "JPEG2000": Anatomy(_jpeg2000_parts, _jpeg2000_numbers),
    "PDF": Anatomy(_pdf_parts, _no_numbers, _pdf_repaired),
}
