"""PDFs with text of their own, drawn by reportlab."""

import io
from collections.abc import Callable, Sequence

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.samples import BOLD, SERIF

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
