"""Pages on which a program drew something so small that it looks like dust, and pages without anything."""

import pytest
from PIL import Image, ImageOps
from reportlab.pdfgen.canvas import Canvas

from ocr_service.core.documents import ImageMode
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.engines.page_warnings import is_blank
from tests.samples import noisy
from tests.text_pdfs import BODY, Draw, lines, pdf_of, picture, small_scan, tiny_lines

pytestmark = pytest.mark.anyio

LIMITS = Limits(10_000_000, max_page_side=32_767)
A4 = (0, 0, 595, 842)
WHITE = Image.new("L", (620, 877), 255)


def small_white_scan(canvas: Canvas) -> None:
    picture(canvas, WHITE, (200, 300, 42, 30))


def white_scan(canvas: Canvas) -> None:
    picture(canvas, WHITE, A4)


def dusty_scan(canvas: Canvas) -> None:
    picture(canvas, noisy(WHITE), A4)


def dusty_scan_in_strips(canvas: Canvas) -> None:
    for strip in range(10):
        picture(canvas, noisy(WHITE.resize((620, 88))), (0, strip * 84.2, 595, 84.2))


def dusty_scan_in_a_form(canvas: Canvas) -> None:
    canvas.beginForm("scan", 0, 0, 1, 1)
    picture(canvas, noisy(WHITE), (0, 0, 1, 1))
    canvas.endForm()
    canvas.scale(595, 842)
    canvas.doForm("scan")


def empty(_: Canvas) -> None:
    """Draw nothing."""


def fill(canvas: Canvas) -> None:
    canvas.setFillColorRGB(0.9, 0.8, 0.2)
    canvas.rect(*A4, stroke=0, fill=1)


def invisible_text(canvas: Canvas) -> None:
    text = canvas.beginText(72, 700)
    text.setFont(BODY, 12)
    text.setTextRenderMode(3)
    text.textLine("Hidden")
    canvas.drawText(text)


async def codes(draw: Draw, mode: ImageMode = "L", rotation: int = 0) -> tuple[list[str], Image.Image]:
    """Return the warnings of a page without text, and the page."""
    pdf = pdf_of(draw, rotation=rotation)
    async with open_document(pdf, dpi=150, mode=mode, limits=LIMITS) as document:
        page = await document.page(1)
    assert page.warnings == ()
    return [warning.code for warning in page.without_text], page.image


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("draw", [small_scan, tiny_lines])
async def test_something_too_small_is_told(draw: Draw, mode: ImageMode) -> None:
    found, image = await codes(draw, mode)
    assert found == ["no_text"]
    assert is_blank(ImageOps.grayscale(image)), "it looks like dust"


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("draw", [empty, small_white_scan, white_scan, fill, invisible_text])
async def test_blank_page_is_blank(draw: Draw, mode: ImageMode) -> None:
    assert (await codes(draw, mode))[0] == []


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("draw", [dusty_scan, dusty_scan_in_strips, dusty_scan_in_a_form])
async def test_dust_of_a_scan_is_no_mark(draw: Draw, rotation: int) -> None:
    assert (await codes(draw, rotation=rotation))[0] == []


async def test_letters_as_light_as_their_background_are_told_in_color() -> None:
    def red_on_green(canvas: Canvas) -> None:
        canvas.setFillColorRGB(0, 0.43, 0)
        canvas.rect(*A4, stroke=0, fill=1)
        canvas.setFillColorRGB(0.85, 0, 0)
        canvas.setFont(BODY, 40)
        lines(canvas, ["Red on green"])

    assert (await codes(red_on_green, "RGB"))[0] == ["no_text"]
