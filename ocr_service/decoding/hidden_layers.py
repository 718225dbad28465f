"""Layers of a PDF (optional content) that are not shown: a drawn page leaves them out, its text does not."""

import re
from contextlib import suppress

import pypdfium2 as pdfium

from ocr_service.decoding.pdf_source import may_contain, written_page

# Layers that are off, each or all of them; most files with layers have an empty list.
_OFF = re.compile(rb"/OFF\b(?!\s*\[\s*\])")
_LAYER = b"/OCG"


def may_be_used(data: bytes) -> bool:
    """Return whether a file may have layers that are not shown; False for almost all files."""
    return may_contain(data, _OFF)


def has_layers(pdf: pdfium.PdfDocument, index: int) -> bool:
    """Return whether parts of page `index`, from 1, are in layers; True if that cannot be found."""
    with suppress(pdfium.PdfiumError):
        return _LAYER in written_page(pdf, index)
    return True
