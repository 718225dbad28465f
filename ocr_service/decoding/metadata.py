"""JPEG and PNG files without their metadata, which may be damaged or too large while the pixels are good."""

from collections.abc import Iterator

# Pixels, palette, transparency, resolution, and EXIF data for the orientation.
_PNG_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"eXIf", b"IDAT"))
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_PNG_SIGNATURE = 8

# EXIF data, and the color transform of Adobe. Other application segments and comments change no pixel.
_JPEG_SEGMENTS = frozenset((0xE1, 0xEE))
_JPEG_METADATA = frozenset((*range(0xE0, 0xF0), 0xFE))
_START_OF_SCAN = 0xDA


def without_metadata(data: bytes, format_name: str) -> bytes:
    """Return a file with the same pixels; the same bytes if there is nothing to remove."""
    if format_name == "PNG":
        return data[:_PNG_SIGNATURE] + b"".join(_png_chunks(data))
    if format_name == "JPEG":
        return data[:2] + b"".join(_jpeg_segments(data))
    return data


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks, with an end of its own: the one in the file may be damaged."""
    at = _PNG_SIGNATURE
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in _PNG_CHUNKS:
            yield data[at:end]
            if end > len(data):
                return
        at = end
    yield _PNG_END


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Yield the segments, the last one with all that follows."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] not in _JPEG_METADATA - _JPEG_SEGMENTS:
            yield data[at:end]
        at = end
    yield data[at:]
