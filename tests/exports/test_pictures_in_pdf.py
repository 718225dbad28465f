"""Pictures that become pages of a PDF."""

import io

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from ocr_service.decoding.limits import Limits
from ocr_service.exports.pdf.document import write
from ocr_service.exports.pdf.page_text import PageText, PlacedText
from ocr_service.exports.pdf.requests import Order
from tests.samples import encoded

LIMITS = Limits(10_000_000, 10_000)


def photo(mode: str = "RGB", size: tuple[int, int] = (300, 150)) -> Image.Image:
    """A picture that differs in all four corners."""
    ramp = Image.linear_gradient("L").resize(size)
    picture = Image.merge(
        "RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), ramp.point(lambda v: v // 2))
    )
    picture.paste("blue", (0, 0, 60, 40))
    return picture.convert(mode)


def pages_of(data: bytes, format_name: str, *numbers: int, archival: bool = False) -> bytes:
    pages = tuple(
        PageText(number, 150, 300, 90, [PlacedText("слово", (10, 10, 60, 30))]) for number in numbers
    )
    return write(Order(format_name, pages, archival, LIMITS), data)[0]


def shown(data: bytes, size: tuple[int, int], index: int = 0) -> Image.Image:
    page = pdfium.PdfDocument(data)[index]
    drawn: Image.Image = page.render(scale=size[0] / page.get_width()).to_pil()
    return drawn.convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of a channel, from 0 to 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one, other.convert("RGB"))).mean)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_picture_is_kept_without_loss(format_name: str, mode: str) -> None:
    picture = photo(mode)
    data = pages_of(encoded(picture, format_name), format_name, 1)
    expected = picture
    if format_name == "GIF":
        expected = Image.open(io.BytesIO(encoded(picture, "GIF")))
    assert difference(shown(data, picture.size), expected) == 0


@pytest.mark.parametrize("format_name", ["WEBP", "HEIF", "AVIF", "JPEG2000"])
def test_picture_that_had_a_loss_before_has_hardly_more(format_name: str) -> None:
    file = encoded(photo(), format_name)
    before = Image.open(io.BytesIO(file)).convert("RGB")
    assert difference(shown(pages_of(file, format_name, 1), before.size), before) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_is_upright_and_keeps_its_bytes(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(photo(), "JPEG", exif=exif, quality=95, subsampling=0, dpi=(150, 150))
    data = pages_of(file, "JPEG", 1)
    upright = Image.open(io.BytesIO(file))
    upright.load()
    expected = ImageOps.exif_transpose(upright)
    with pikepdf.open(io.BytesIO(data)) as opened:
        picture = opened.pages[0].obj.Resources.XObject.Im
        assert (picture.read_raw_bytes() == file) is (orientation in (1, 3, 6, 8))
    assert difference(shown(data, expected.size), expected) < 4
    assert pdfium.PdfDocument(data)[0].get_size() == pytest.approx(
        [side * 72 / 150 for side in expected.size]
    )


@pytest.mark.parametrize(
    ("mode", "space", "bits"), [("RGB", "/DeviceRGB", 8), ("L", "/DeviceGray", 8), ("1", "/DeviceGray", 1)]
)
def test_grey_and_black_and_white_pictures_stay_small(mode: str, space: str, bits: int) -> None:
    with pikepdf.open(io.BytesIO(pages_of(encoded(photo(mode), "PNG"), "PNG", 1))) as opened:
        picture = opened.pages[0].obj.Resources.XObject.Im
        assert (str(picture.ColorSpace), int(picture.BitsPerComponent)) == (space, bits)


def test_selected_pages_of_a_tiff_have_their_resolution_and_text() -> None:
    frames = [photo(size=(300 + 10 * number, 150)) for number in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:], dpi=(150, 150))
    document = pdfium.PdfDocument(pages_of(file.getvalue(), "TIFF", 1, 3))
    assert [page.get_size() for page in document] == [(144, 72), (pytest.approx(320 * 72 / 150), 72)]
    assert [page.get_textpage().get_text_bounded() for page in document] == ["слово", "слово"]


def test_picture_without_a_resolution_is_as_large_as_a_sheet() -> None:
    [page] = pdfium.PdfDocument(pages_of(encoded(photo(), "PNG"), "PNG", 1))
    assert page.get_size() == (842, 421)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF"])
def test_picture_becomes_pdf_a(format_name: str) -> None:
    data = pages_of(encoded(photo(), format_name), format_name, 1, archival=True)
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert opened.open_metadata()["pdfaid:part"] == "2"


def test_jpeg_of_printing_colours_is_kept_as_it_looks() -> None:
    picture = photo().convert("CMYK")
    file = encoded(picture, "JPEG", quality=95, subsampling=0)
    before = Image.open(io.BytesIO(file)).convert("RGB")
    assert difference(shown(pages_of(file, "JPEG", 1), picture.size), before) < 4
