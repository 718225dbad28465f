"""Image files with more parts than any good one are refused before Pillow reads these one by one."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from benchmarks.attack.tiff_tags import tiff_of_tags
from ocr_service.core.errors import BrokenDocument
from ocr_service.decoding.metadata import check_parts
from tests.samples import encoded

_MODES = {"PNG": "L", "JPEG": "L", "GIF": "P", "TIFF": "L"}
_CHUNK = b"prVt"


def good(format_name: str) -> bytes:
    return encoded(Image.effect_noise((400, 600), 80).convert(_MODES[format_name]), format_name)


def png_of_chunks(data: bytes) -> bytes:
    return data[:33] + (bytes(4) + _CHUNK + struct.pack(">I", zlib.crc32(_CHUNK))) * 30_000 + data[33:]


def jpeg_of_markers(data: bytes) -> bytes:
    return data[:2] + b"\xff\xe1\0\2" * 30_000 + data[2:]


def jpeg_of_filling(data: bytes) -> bytes:
    return data[:2] + b"\xff" * 30_000 + data[2:]


def gif_of_comments(data: bytes) -> bytes:
    colors = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:colors] + b"!\xfe\1a\0" * 15_000 + data[colors:]


def gif_of_one_comment(data: bytes) -> bytes:
    colors = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:colors] + b"!\xfe" + b"\1a" * 30_000 + b"\0" + data[colors:]


@pytest.mark.parametrize(
    ("format_name", "attack"),
    [
        ("PNG", png_of_chunks),
        ("JPEG", jpeg_of_markers),
        ("JPEG", jpeg_of_filling),
        ("GIF", gif_of_comments),
        ("GIF", gif_of_one_comment),
        ("TIFF", lambda _: tiff_of_tags()),
    ],
)
def test_file_of_too_many_parts_is_refused(format_name: str, attack: Callable[[bytes], bytes]) -> None:
    data = good(format_name)
    check_parts(data, format_name)
    # Some programs append data of their own.
    check_parts(data + bytes(10**6), format_name)
    bad = attack(data)
    # Pillow itself would read them all.
    Image.open(io.BytesIO(bad), formats=[format_name])
    with pytest.raises(BrokenDocument, match="000 pieces of metadata"):
        check_parts(bad, format_name)


def test_tags_of_a_big_tiff_count() -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "TIFF", big_tiff=True)
    data = bytearray(file.getvalue())
    check_parts(bytes(data), "TIFF")
    (place,) = struct.unpack_from("<Q", data, 8)
    struct.pack_into("<Q", data, place, 10**6)
    with pytest.raises(BrokenDocument):
        check_parts(bytes(data), "TIFF")


@pytest.mark.parametrize("format_name", _MODES)
def test_beginning_of_a_file_has_no_end(format_name: str) -> None:
    """Damaged files must not fail in another way."""
    data = good(format_name)
    for size in (*range(16), 40, 200, len(data) // 2):
        check_parts(data[:size], format_name)
