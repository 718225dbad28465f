"""Pictures in a PDF that end early or are damaged: PDFium draws a part of them, and does not say so."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from ocr_service.core.documents import WarningCode
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from tests.samples import encoded, pdf_with_picture

pytestmark = pytest.mark.anyio

LIMITS = Limits(10_000_000, max_page_side=32_767)
SIZE = WIDTH, HEIGHT = 320, 240
GREY = Image.fromarray(np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH), np.uint8))
# The last rows are white in a PDF, where a fax is drawn inversely.
BLACK_AND_WHITE = GREY.crop((0, 0, WIDTH, HEIGHT - 9)).convert("1").crop((0, 0, *SIZE))


def jpeg(**options: object) -> bytes:
    return encoded(GREY, "JPEG", quality=80, **options)


def fax() -> bytes:
    file = encoded(BLACK_AND_WHITE, "TIFF", compression="group4", tiffinfo={278: HEIGHT})
    with TiffImagePlugin.TiffImageFile(io.BytesIO(file)) as tiff:
        (at,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]
    return file[at : at + length]


def jbig2() -> bytes:
    """Return the segments of a page with one region, which is coded as a fax."""
    page = struct.pack(">IIIIBH", *SIZE, 0, 0, 0, 0)
    region = struct.pack(">IIIIBB", *SIZE, 0, 0, 0, 1) + fax()
    heads = [
        struct.pack(">IBBBI", number, kind, 0, 1, len(data))
        for number, (kind, data) in enumerate([(48, page), (38, region)])
    ]
    return heads[0] + page + heads[1] + region


FAX = f"/Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns {WIDTH} /Rows {HEIGHT} >>"
CODINGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG": ("/Filter /DCTDecode", jpeg),
    "progressive JPEG": ("/Filter /DCTDecode", lambda: jpeg(progressive=True)),
    "zlib": ("/Filter /FlateDecode", lambda: zlib.compress(GREY.tobytes())),
    "JPEG in zlib": ("/Filter [/FlateDecode /DCTDecode]", lambda: zlib.compress(jpeg())),
    "JPEG as text": ("/Filter [/ASCIIHexDecode /DCTDecode]", lambda: jpeg().hex().encode()),
    "fax": (f"/BitsPerComponent 1 {FAX}", fax),
    "JBIG2": ("/BitsPerComponent 1 /Filter /JBIG2Decode", jbig2),
}


async def codes(described: str, data: bytes) -> list[str]:
    if "/Width" not in described:
        described = f"/Width {WIDTH} /Height {HEIGHT} /ColorSpace /DeviceGray {described}"
    if "/BitsPerComponent" not in described:
        described += " /BitsPerComponent 8"
    async with open_document(pdf_with_picture(described, data), dpi=72, mode="L", limits=LIMITS) as document:
        return [warning.code for warning in (await document.page(1)).warnings]


@pytest.mark.parametrize("coding", CODINGS)
async def test_picture_that_ends_early_is_told(coding: str) -> None:
    described, made = CODINGS[coding]
    data = made()
    assert await codes(described, data) == []
    for share in (0.9, 0.3, 0):
        cut = data[: int(share * len(data))]
        assert await codes(described, cut) == [WarningCode.TRUNCATED_FILE], share


@pytest.mark.parametrize("coding", ["JPEG", "JPEG in zlib"])
async def test_picture_that_is_damaged_in_the_middle_is_told(coding: str) -> None:
    described, made = CODINGS[coding]
    data = made()
    middle = len(data) // 2
    damaged = data[:middle] + np.random.default_rng(5).bytes(2000) + data[middle + 2000 :]
    assert await codes(described, damaged) == [WarningCode.TRUNCATED_FILE]


@pytest.mark.parametrize("coding", ["zlib", "JPEG in zlib"])
async def test_one_changed_byte_of_zlib_is_told(coding: str) -> None:
    """Bytes that are stored and not compressed can change without an error of the decompression."""
    described, made = CODINGS[coding]
    stored = bytearray(zlib.compress(zlib.decompress(made()), level=0))
    assert await codes(described, bytes(stored)) == []
    stored[len(stored) // 2] ^= 0x55
    assert await codes(described, bytes(stored)) == [WarningCode.TRUNCATED_FILE]


async def test_long_zlib_is_whole_with_and_without_its_sum() -> None:
    """It is decompressed in slices."""
    width, height = 2480, 700
    page = GREY.resize((width, height // 2)).tobytes() + bytes(width * height // 2)
    described = f"/Width {width} /Height {height} /ColorSpace /DeviceGray /Filter /FlateDecode"
    data = zlib.compress(page)
    assert await codes(described, data) == []
    assert await codes(described, data[:-4]) == []
    assert await codes(described, data[:-4] + bytes(4)) == [WarningCode.TRUNCATED_FILE]


async def test_fax_without_an_end_is_whole_if_all_rows_are_there() -> None:
    end = b"\x00\x10\x01"
    data = fax()
    described = f"/BitsPerComponent 1 {FAX}"
    assert await codes(described.replace(">>", "/EndOfBlock false >>"), data[: -len(end)]) == []
