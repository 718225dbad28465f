"""Images that are truncated, or whose metadata are damaged: all that can be decoded is read."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from ocr_service.core.documents import WarningCode
from ocr_service.core.errors import BrokenDocument, TooManyPixels
from ocr_service.decoding.limits import Limits
from tests.samples import encoded
from tests.unit.test_images import assert_left_black_right_white, decoded, grey, left_black_right_white

pytestmark = pytest.mark.anyio

SIZE = (400, 320)


def lines() -> Image.Image:
    """A page with lines of text from top to bottom."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for top in range(0, SIZE[1], 16):
        draw.text((5, top), f"Line {top} of the deed, signed before witnesses.", fill="black")
    return image


def cut(data: bytes, kept: float) -> bytes:
    return data[: int(len(data) * kept)]


@pytest.mark.parametrize("kept", [0.6, 0.85])
@pytest.mark.parametrize(
    ("format_name", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "P", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "1", {}),
        ("JPEG", "L", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "CMYK", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {}),
        ("GIF", "P", {"interlace": 0}),
        ("BMP", "RGB", {}),
        ("TIFF", "L", {}),
    ],
)
async def test_first_part_of_a_truncated_image_is_read(
    format_name: str, mode: str, options: dict[str, object], kept: float
) -> None:
    data = encoded(lines().convert(mode, dither=Image.Dither.NONE), format_name, **options)
    whole, part = await decoded(data), await decoded(cut(data, kept))
    assert not whole.warnings
    assert [warning.code for warning in part.warnings] == [WarningCode.TRUNCATED_FILE]
    assert part.image.size == SIZE
    expected, found = grey(whole), grey(part)
    if format_name == "BMP":
        # The last row comes first.
        expected, found = expected[::-1], found[::-1]
    # The rows do not take equal space, and a decoder keeps some of them back.
    first = slice(int(SIZE[1] * (kept - 0.45)))
    assert np.array_equal(found[first], expected[first])
    assert found[-16:].min() > 250, "the missing part is white"


async def test_truncated_progressive_jpeg_is_read() -> None:
    """Its scans add detail to the whole page, so that no part is missing."""
    data = encoded(lines(), "JPEG", progressive=True)
    whole, part = await decoded(data), await decoded(cut(data, 0.7))
    assert [warning.code for warning in part.warnings] == [WarningCode.TRUNCATED_FILE]
    assert np.abs(grey(whole).astype(int) - grey(part)).mean() < 10


async def test_tiles_of_a_truncated_jpeg_2000_are_read() -> None:
    data = encoded(lines(), "JPEG2000", tile_size=(128, 128))
    part = await decoded(cut(data, 0.7))
    assert [warning.code for warning in part.warnings] == [WarningCode.TRUNCATED_FILE]
    assert grey(part)[:128].min() < 50
    assert grey(part)[-16:].min() == 255


@pytest.mark.parametrize(
    "format_name", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "HEIF", "AVIF", "JPEG2000"]
)
async def test_file_without_pixels_is_a_broken_document(format_name: str) -> None:
    data = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), format_name)
    with pytest.raises(BrokenDocument):
        await decoded(data[: max(40, len(data) // 200)])


@pytest.mark.parametrize("format_name", ["HEIF", "AVIF", "JPEG2000"])
async def test_truncated_file_of_one_tile_is_a_broken_document(format_name: str) -> None:
    data = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), format_name)
    with pytest.raises(BrokenDocument):
        await decoded(cut(data, 0.7))


async def test_damage_in_the_middle_of_a_png_keeps_the_rows_before() -> None:
    data = encoded(lines(), "PNG")
    middle = len(data) // 2
    page = await decoded(data[:middle] + b"\xff" * 100 + data[middle + 100 :])
    assert [warning.code for warning in page.warnings] == [WarningCode.TRUNCATED_FILE]
    assert grey(page)[:100].min() < 50


async def test_truncated_page_of_a_tiff_keeps_its_strips() -> None:
    pages = [lines().convert("L")] * 2
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    page = await decoded(cut(data, 0.8), index=2)
    assert [warning.code for warning in page.warnings] == [WarningCode.TRUNCATED_FILE]
    assert grey(page)[:100].min() < 50


async def test_pixel_limit_of_a_truncated_webp_is_checked_before_decoding() -> None:
    data = encoded(lines(), "WEBP")
    with pytest.raises(TooManyPixels, match="400 x 320 pixels"):
        await decoded(cut(data, 0.5), limits=Limits(10_000, max_page_side=32_767))


async def test_jpeg_with_an_empty_jfif_segment_is_read() -> None:
    data = encoded(left_black_right_white(), "JPEG")
    empty = b"\xff\xe0" + (7).to_bytes(2, "big") + b"JFIF\0"
    page = await decoded(data[:2] + empty + data[2:])
    assert_left_black_right_white(page)
    assert not page.warnings


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
async def test_beginning_of_a_file_is_a_broken_document(format_name: str) -> None:
    data = encoded(left_black_right_white(), format_name)
    for length in range(8 if format_name == "PNG" else 3, 40):
        with pytest.raises(BrokenDocument):
            await decoded(data[:length])


async def test_png_with_a_large_color_profile_is_read() -> None:
    page = await decoded(
        encoded(left_black_right_white(), "PNG", icc_profile=bytes(2**20 + 1), dpi=(300, 300))
    )
    assert_left_black_right_white(page)
    assert page.resolution == 300
    assert not page.warnings


async def test_png_without_its_end_is_read() -> None:
    """All pixels are there."""
    page = await decoded(encoded(left_black_right_white(), "PNG")[:-6])
    assert_left_black_right_white(page)
    assert not page.warnings


async def test_png_with_bad_pixels_is_not_a_black_page() -> None:
    data = encoded(left_black_right_white(), "PNG")
    pixels = data.index(b"IDAT") + 6
    with pytest.raises(BrokenDocument):
        await decoded(data[:pixels] + b"\xff" * (len(data) - pixels))


async def test_png_with_a_large_text_behind_its_pixels_is_read() -> None:
    text = PngImagePlugin.PngInfo()
    text.add(b"tEXt", b"history\0" + bytes(2**20 + 1), after_idat=True)
    text.add(b"zTXt", b"bad", after_idat=True)
    page = await decoded(encoded(left_black_right_white(), "PNG", pnginfo=text))
    assert_left_black_right_white(page)
    assert not page.warnings
