"""PDFs with text of their own, drawn by reportlab."""

import io
from collections.abc import Callable, Sequence

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.samples import BOLD, RUSSIAN, SERIF, printed_page

BODY, HEADING = "Body", "Heading"
A4 = (595.0, 842.0)

Draw = Callable[[Canvas], None]


def pdf_of(*pages: Draw, size: tuple[float, float] = A4, rotation: int = 0) -> bytes:
    """Make a PDF; each function draws a page."""
    pdfmetrics.registerFont(TTFont(BODY, SERIF))
    pdfmetrics.registerFont(TTFont(HEADING, BOLD))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size, invariant=1)
    for draw in pages:
        canvas.setPageRotation(rotation)
        canvas.setFont(BODY, 10)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def lines(canvas: Canvas, texts: Sequence[str], x: float = 72, y: float = 750, pitch: float = 13) -> None:
    """Draw lines of text below each other; y: base line of the first one, from the bottom of the page."""
    for number, text in enumerate(texts):
        canvas.drawString(x, y - number * pitch, text)


def picture(canvas: Canvas, image: Image.Image, box: tuple[float, float, float, float]) -> None:
    """Draw a picture; box: left, bottom, width, height."""
    canvas.drawImage(ImageReader(image), *box)


def small_scan(canvas: Canvas) -> None:
    """Draw a scan so small that its letters have a few pixels at 300 dpi."""
    picture(canvas, printed_page(RUSSIAN[:1], size=(1240, 877)).image, (200, 300, 42, 30))


def tiny_lines(canvas: Canvas) -> None:
    """Draw text of one point."""
    canvas.setFont(BODY, 1)
    lines(canvas, ["Nobody can read this.", "The letters are too small."], pitch=1.3)
