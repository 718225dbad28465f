"""Image decoding: pixel formats, orientation, resolution, TIFF pages, limits and damaged files."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from ocr_service.core.documents import ImageMode, Page
from ocr_service.core.errors import BrokenDocument, TooManyPixels
from ocr_service.decoding.document import DECODERS
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from tests.samples import bomb_png, encoded, png

pytestmark = pytest.mark.anyio

ORIENTATION = 0x0112
PHOTOMETRIC = 262
ROOMY = Limits(10_000_000, max_page_side=32_767)


async def decoded(data: bytes, index: int = 1, mode: ImageMode = "L", limits: Limits = ROOMY) -> Page:
    async with open_document(data, dpi=72, mode=mode, limits=limits) as document:
        return await document.page(index)


def grey(page: Page) -> "np.typing.NDArray[np.uint8]":
    return np.asarray(page.image)


def left_black_right_white(size: tuple[int, int] = (40, 20)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    image.paste("black", (0, 0, size[0] // 2, size[1]))
    return image


def assert_left_black_right_white(page: Page) -> None:
    pixels = grey(page)
    half = page.image.width // 2
    assert pixels[:, : half - 2].max() < 40, "left half is black"
    assert pixels[:, half + 2 :].min() > 215, "right half is white"


@pytest.mark.parametrize(
    "format_name", ["PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "HEIF", "AVIF", "JPEG2000"]
)
async def test_supported_format_is_decoded(format_name: str) -> None:
    page = await decoded(encoded(left_black_right_white(), format_name))
    assert_left_black_right_white(page)
    assert not page.warnings


async def test_jpeg_2000_codestream_is_decoded() -> None:
    data = encoded(left_black_right_white(), "JPEG2000", no_jp2=True)
    assert data.startswith(b"\xff\x4f")
    assert_left_black_right_white(await decoded(data))


async def test_avif_file_with_the_brand_of_all_heif_files_is_decoded() -> None:
    data = encoded(left_black_right_white(), "AVIF")
    assert_left_black_right_white(await decoded(data.replace(b"ftypavif", b"ftypmif1", 1)))


async def test_bitmap_with_reserved_bytes_is_decoded() -> None:
    data = encoded(left_black_right_white(), "BMP")
    assert_left_black_right_white(await decoded(data[:6] + b"scan" + data[10:]))


@pytest.mark.parametrize(
    ("mode", "format_name"),
    [
        ("1", "PNG"),
        ("1", "TIFF"),
        ("1", "BMP"),
        ("L", "PNG"),
        ("L", "JPEG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("P", "BMP"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "JPEG"),
        ("YCbCr", "TIFF"),
        ("LAB", "TIFF"),
    ],
)
async def test_pixel_mode_is_converted(mode: str, format_name: str) -> None:
    image = left_black_right_white().convert("L" if mode == "LAB" else mode)
    if mode == "LAB":
        neutral = Image.new("L", image.size, 128)
        image = Image.merge("LAB", (image, neutral, neutral))
    assert_left_black_right_white(await decoded(encoded(image, format_name)))


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
async def test_sixteen_bits_are_scaled_and_not_clipped(format_name: str) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    page = await decoded(encoded(Image.fromarray(ramp), format_name))
    assert np.abs(grey(page)[0].astype(int) - np.arange(256)).max() <= 1


async def test_transparent_value_of_sixteen_bits_is_white() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    transparent = ramp[0, 100]
    page = await decoded(encoded(Image.fromarray(ramp), "PNG", transparency=int(transparent)))
    expected = np.where(ramp[0] == transparent, 255, np.arange(256))
    assert np.abs(grey(page)[0].astype(int) - expected).max() <= 1


async def test_transparent_color_of_sixteen_bits_is_white() -> None:
    """The color is given with 16 bits per sample; the pixels have 8 after decoding."""
    pixels = [struct.pack(">3H", *[level] * 3) for level in (0, 0x8000, 0xFFFF)]
    data = png(size=(3, 1), bits=16, color_type=2, row=b"".join(pixels), transparent=pixels[1])
    assert grey(await decoded(data)).tolist() == [[0, 255, 255]]


async def test_grey_with_premultiplied_alpha_is_composited_over_white() -> None:
    image = left_black_right_white().convert("LA")
    data = encoded(image, "TIFF")
    extra_samples = struct.Struct("<HHII")
    associated = data.replace(extra_samples.pack(338, 3, 1, 2), extra_samples.pack(338, 3, 1, 1))
    assert associated != data
    assert_left_black_right_white(await decoded(associated))


async def test_sixteen_bit_white_is_zero_tiff_is_inverted() -> None:
    ramp = np.linspace(65535, 0, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    data = encoded(Image.fromarray(ramp), "TIFF", tiffinfo={PHOTOMETRIC: 0})
    assert np.abs(grey(await decoded(data))[0].astype(int) - np.arange(256)).max() <= 1


async def test_float_and_32_bit_samples_are_scaled_to_their_range() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 256).repeat(4, axis=0)
    for samples in (ramp, (ramp * 1_000_000).astype(np.int32)):
        page = await decoded(encoded(Image.fromarray(samples), "TIFF"))
        assert np.abs(grey(page)[0].astype(int) - np.arange(256)).max() <= 1


async def test_blank_page_of_32_bit_samples_is_white() -> None:
    page = await decoded(encoded(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"))
    assert grey(page).min() == 255


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JPEG2000"])
async def test_alpha_is_composited_over_white(mode: str, format_name: str) -> None:
    image = left_black_right_white().convert(mode)
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (0, 0, 20, 20))
    # The right half is black, but fully transparent.
    image.paste("black", (20, 0, 40, 20))
    image.putalpha(alpha)
    assert_left_black_right_white(await decoded(encoded(image, format_name, **_lossless(format_name))))


def _lossless(format_name: str) -> dict[str, object]:
    return {"lossless": True} if format_name == "WEBP" else {}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
async def test_light_signs_on_transparency_are_seen(mode: str) -> None:
    image = Image.new(mode, (40, 20), 0)
    image.paste("white", (20, 0, 40, 20))
    assert_left_black_right_white(await decoded(encoded(image, "PNG")))


async def test_half_transparent_black_is_grey() -> None:
    page = await decoded(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert abs(int(grey(page)[0, 0]) - 127) <= 1


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
async def test_transparent_palette_entry_is_white(format_name: str) -> None:
    image = Image.new("P", (40, 20), 0)
    image.paste(1, (20, 0, 40, 20))
    image.putpalette([0, 0, 0, 10, 0, 0])
    page = await decoded(encoded(image, format_name, transparency=1))
    assert_left_black_right_white(page)


async def test_color_is_preserved_if_the_engine_needs_it() -> None:
    page = await decoded(encoded(Image.new("RGB", (4, 4), (200, 30, 60)), "PNG"), mode="RGB")
    assert page.image.mode == "RGB"
    assert page.image.getpixel((0, 0)) == (200, 30, 60)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_orientation_is_applied(format_name: str, orientation: int) -> None:
    upright = left_black_right_white()
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    page = await decoded(encoded(stored, format_name, exif=exif))
    assert page.image.size == upright.size
    assert_left_black_right_white(page)


async def test_rotated_heic_is_upright() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = left_black_right_white((64, 32)).transpose(Image.Transpose.ROTATE_90)
    page = await decoded(encoded(stored, "HEIF", exif=exif.tobytes(), quality=95))
    assert page.image.size == (64, 32)
    assert_left_black_right_white(page)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"Exif\x00\x00XX"])
async def test_damaged_exif_is_ignored(exif: bytes) -> None:
    data = encoded(left_black_right_white(), "JPEG", exif=exif)
    assert_left_black_right_white(await decoded(data))


async def test_all_pages_of_a_tiff_are_decoded() -> None:
    frames = [Image.new("L", (10 + n, 10), 40 * n) for n in range(5)]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 5
        # Pages may be requested in any order.
        for index in (5, 1, 3):
            page = await document.page(index)
            assert page.index == index
            assert page.image.size == (9 + index, 10)
            assert page.image.getpixel((0, 0)) == 40 * (index - 1)


async def test_damaged_tiff_page_does_not_affect_the_others() -> None:
    noise = [Image.effect_noise((200, 200), 80) for _ in range(3)]
    data = encoded(noise[0], "TIFF", save_all=True, append_images=noise[1:], compression="tiff_lzw")
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        offset = image.tag_v2[273][0]  # type: ignore[attr-defined]
    broken = data[:offset] + bytes(2000) + data[offset + 2000 :]
    async with open_document(broken, dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 3
        with pytest.raises(BrokenDocument):
            await document.page(2)
        assert grey(await document.page(3)).std() > 10


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
async def test_first_frame_of_an_animation_is_decoded(format_name: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("white", "black", "black")]
    data = encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 1
        assert grey(await document.page(1)).min() > 250


@pytest.mark.parametrize(
    ("dpi", "resolution"), [(300, 300), (200, 200), (72, None), (96, None), (2400, None), (None, None)]
)
async def test_plausible_resolution_is_used(dpi: int | None, resolution: int | None) -> None:
    options = {"dpi": (dpi, dpi)} if dpi else {}
    page = await decoded(encoded(left_black_right_white(), "PNG", **options))
    assert page.resolution == resolution


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF"])
async def test_non_square_pixels_of_a_rotated_image_are_corrected(format_name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    # The upright image is 200 wide and 99 high, at 204 dpi horizontally and 98 dpi vertically.
    stored = left_black_right_white((200, 99)).transpose(Image.Transpose.ROTATE_90)
    data = encoded(stored, format_name, exif=exif, dpi=(98, 204))
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        announced = await document.pixels(1)
        page = await document.page(1)
    assert page.image.size == (200, 206)
    assert announced == 200 * 206
    assert_left_black_right_white(page)


async def test_fax_with_non_square_pixels_is_corrected() -> None:
    fax = left_black_right_white((816, 196)).convert("1")
    page = await decoded(encoded(fax, "TIFF", dpi=(204, 98), compression="group4"))
    assert page.image.size == (816, 408)
    assert page.resolution == 204
    assert_left_black_right_white(page)


async def test_multi_picture_jpeg_is_decoded_as_jpeg() -> None:
    picture = left_black_right_white()
    data = encoded(picture, "MPO", save_all=True, append_images=[Image.new("RGB", picture.size, "black")])
    assert_left_black_right_white(await decoded(data))


async def test_image_beyond_the_maximum_side_is_refused() -> None:
    with pytest.raises(TooManyPixels, match="at most 500 a side"):
        await decoded(encoded(Image.new("1", (501, 2)), "PNG"), limits=Limits(10_000, max_page_side=500))


async def test_pixel_limit_is_checked_before_decoding() -> None:
    """The pixels of this file are damaged, so decoding would raise another error."""
    data = bomb_png(2000)
    data = data[:43] + b"\xff" * (len(data) - 43)
    with pytest.raises(TooManyPixels, match="2000 x 2000 pixels"):
        await decoded(data, limits=Limits(3_999_999, max_page_side=32_767))
    with pytest.raises(BrokenDocument):
        await decoded(data, limits=Limits(4_000_000, max_page_side=32_767))


def webp_of_a_large_canvas(side: int) -> bytes:
    """An animation of two small pictures on a canvas of side x side pixels."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (side - 1).to_bytes(3, "little") * 2
    return bytes(data)


async def test_large_webp_is_opened_in_a_new_process() -> None:
    """Pillow allocates its pixels when it opens the file; an older process may have free memory for them."""
    DECODERS.close_idle()
    limits = Limits(100_000_000, max_page_side=32_767)
    async with open_document(webp_of_a_large_canvas(10_000), dpi=72, mode="L", limits=limits) as document:
        assert await document.pixels(1) == 100_000_000


async def test_pixel_limit_of_webp_is_checked_before_memory_is_allocated() -> None:
    limits = Limits(100_000_000, max_page_side=32_767)
    with pytest.raises(TooManyPixels, match="16000 x 16000 pixels"):
        await decoded(webp_of_a_large_canvas(16_000), limits=limits)


async def test_pixel_limit_applies_to_each_page_of_a_tiff() -> None:
    frames = [Image.new("L", (10, 10)), Image.new("L", (100, 100))]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    limits = Limits(5000, max_page_side=32_767)
    assert (await decoded(data, 1, limits=limits)).image.size == (10, 10)
    with pytest.raises(TooManyPixels):
        await decoded(data, 2, limits=limits)


@pytest.mark.parametrize("no_jp2", [False, True], ids=["file", "codestream"])
async def test_pixel_limit_of_jpeg_2000_is_checked_before_decoding(no_jp2: bool) -> None:
    data = encoded(Image.new("L", (200, 100)), "JPEG2000", no_jp2=no_jp2)
    with pytest.raises(TooManyPixels, match="200 x 100 pixels"):
        await decoded(data[:-20], limits=Limits(10_000, max_page_side=32_767))


async def test_jpeg_2000_that_is_larger_than_it_says_is_refused() -> None:
    data = bytearray(encoded(Image.new("L", (200, 100)), "JPEG2000"))
    at = data.index(b"ihdr") + 4
    data[at : at + 8] = struct.pack(">II", 10, 20)
    with pytest.raises(BrokenDocument):
        await decoded(bytes(data))


@pytest.mark.parametrize("options", [{}, {"save_all": True}], ids=["picture", "animation"])
async def test_pixel_limit_of_avif_is_checked_before_decoding(options: dict[str, object]) -> None:
    """The file says that it has 20 x 10 pixels; the decoder would allocate memory for its own 200 x 100."""
    frames = [Image.new("RGB", (200, 100), color) for color in ("red", "blue")]
    data = encoded(frames[0], "AVIF", append_images=frames[1:], **options)
    smaller = data.replace(struct.pack(">II", 200, 100), struct.pack(">II", 20, 10))
    assert smaller != data
    with pytest.raises(TooManyPixels, match="200 x 100 pixels"):
        await decoded(smaller, limits=Limits(10_000, max_page_side=32_767))


async def test_first_frame_of_an_avif_animation_is_decoded() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("white", "black")]
    data = encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    assert data[8:12] == b"avis"
    assert grey(await decoded(data)).min() > 250


async def test_gif_whose_first_frame_is_smaller_than_the_image_is_white_around_it() -> None:
    frame = encoded(Image.new("L", (8, 8), 0).convert("P"), "GIF")
    # The size of the image is at byte 6.
    page = await decoded(frame[:6] + struct.pack("<HH", 20, 12) + frame[10:])
    assert page.image.size == (20, 12)
    assert not grey(page)[:8, :8].any()
    assert grey(page)[8:].min() == grey(page)[:, 8:].min() == 255
