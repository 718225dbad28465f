"""PDFs whose text layer must not be used: that of a poor OCR behind a scan, and text without a mapping."""

import io
from random import Random
from typing import Literal

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from benchmarks.corpus.sheet import Style

_ERRORS = 0.15
_INVISIBLE: Literal[3] = 3


def poor_layer(scan: Image.Image, text: str, style: Style, random: Random) -> bytes:
    """Lay an invisible text behind a scan, in which every seventh letter is wrong."""
    width, height = (side * 72 / 300 for side in scan.size)
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(width, height), invariant=1)
    canvas.drawImage(ImageReader(scan), 0, 0, width, height)
    written = canvas.beginText(40, height - 60)
    written.setTextRenderMode(_INVISIBLE)
    written.setFont(style.regular, 8)
    for line in _misread(text, random).splitlines():
        while pdfmetrics.stringWidth(line, style.regular, 8) > width - 80 and " " in line:
            line = line.rpartition(" ")[0]
        written.textLine(line)
    canvas.drawText(written)
    canvas.save()
    return file.getvalue()


def _misread(text: str, random: Random) -> str:
    letters = [letter for letter in text if letter.isalpha()]
    return "".join(
        random.choice(letters) if letter.isalpha() and random.random() < _ERRORS else letter
        for letter in text
    )


def without_mapping(pdf: bytes) -> bytes:
    """Rename the mapping from codes to characters, so that the text is drawn well and extracted wrongly."""
    return pdf.replace(b"/ToUnicode", b"/NoUnicode")
