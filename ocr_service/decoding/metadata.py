"""The parts of image files: a limit on their number, and JPEG and PNG files without their metadata.

Metadata may be damaged or too large while the pixels are good.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from ocr_service.core.errors import BrokenDocument

# Pixels, palette, transparency, resolution, and EXIF data for the orientation.
_PNG_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"eXIf", b"IDAT"))
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_PNG_SIGNATURE = 8
# Large pictures have many chunks, of 8 KiB in the usual encoders.
_SHORT_CHUNK = 1024

# EXIF data, and the color transform of Adobe. Other application segments and comments change no pixel.
_JPEG_SEGMENTS = frozenset((0xE1, 0xEE))
_JPEG_METADATA = frozenset((*range(0xE0, 0xF0), 0xFE))
_JPEG_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))
_JPEG_FILLING = frozenset((0x00, 0xFF))
_START_OF_SCAN = 0xDA

_GIF_EXTENSION = 0x21
_GIF_HEAD = 13


def check_parts(data: bytes, format_name: str) -> None:
    """Raise BrokenDocument if the file has many more parts than any good one: Pillow reads each in Python."""
    if format_name not in _PARTS:
        return
    parts, most = _PARTS[format_name]
    count = 0
    for more in parts(data):
        count += more
        if count > most:
            raise BrokenDocument(f"The image has more than {most} pieces of metadata.")


def without_metadata(data: bytes, format_name: str) -> bytes:
    """Return a file with the same pixels; the same bytes if there is nothing to remove."""
    if format_name == "PNG":
        return data[:_PNG_SIGNATURE] + b"".join(_kept_chunks(data))
    if format_name == "JPEG":
        return data[:2] + b"".join(_kept_segments(data))
    return data


def _kept_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks, with an end of its own: the one in the file may be damaged."""
    for at, end in _chunks(data):
        if data[at + 4 : at + 8] in _PNG_CHUNKS:
            yield data[at:end]
            if end > len(data):
                return
    yield _PNG_END


def _kept_segments(data: bytes) -> Iterator[bytes]:
    """Yield the segments, the last one with all that follows."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        end = at + 2 + _number(data, at + 2, 2)
        if data[at + 1] not in _JPEG_METADATA - _JPEG_SEGMENTS:
            yield data[at:end]
        at = end
    yield data[at:]


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each chunk of a PNG; other data may follow the last one."""
    at = _PNG_SIGNATURE
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        end = at + 12 + _number(data, at, 4)
        yield at, end
        at = end


def _png_parts(data: bytes) -> Iterator[int]:
    """Yield 1 for each short chunk."""
    for at, end in _chunks(data):
        yield int(end - at < _SHORT_CHUNK)


def _jpeg_parts(data: bytes) -> Iterator[int]:
    """Yield 1 for each segment before the pixels, and for each byte between segments."""
    at = 2
    while at + 1 < len(data) and data[at : at + 2] != bytes((0xFF, _START_OF_SCAN)):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in _JPEG_FILLING:
            at += 1
        else:
            at += 2 if marker in _JPEG_WITHOUT_LENGTH else 2 + _number(data, at + 2, 2)
        yield 1


def _gif_parts(data: bytes) -> Iterator[int]:
    """Yield 1 for each block before the first picture."""
    flags = _number(data, 10, 1)
    at = _GIF_HEAD + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[at : at + 1] == bytes((_GIF_EXTENSION,)):
        at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
            yield 1
        at += 1
        yield 1


def _tiff_parts(data: bytes) -> Iterator[int]:
    """Yield the number of tags of each page."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    # Sizes of the first place, of the count and of a tag, in a BigTIFF and in others.
    is_big = 43 in data[2:4]
    place, count, tag = (8, 8, 20) if is_big else (4, 2, 12)
    at, seen = _number(data, place, place, order), set[int]()
    while at and at not in seen and at < len(data):
        seen.add(at)
        tags = _number(data, at, count, order)
        yield tags
        at = _number(data, at + count + tags * tag, place, order)


def _number(data: bytes, at: int, size: int, order: Literal["little", "big"] = "big") -> int:
    return int.from_bytes(data[at : at + size], order)


# Parts of a format, and the largest number of them; a TIFF of many pages has 20 tags a page.
_PARTS: dict[str, tuple[Callable[[bytes], Iterator[int]], int]] = {
    "PNG": (_png_parts, 20_000),
    "JPEG": (_jpeg_parts, 20_000),
    "GIF": (_gif_parts, 20_000),
    "TIFF": (_tiff_parts, 100_000),
}
