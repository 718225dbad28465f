"""The user unit of PDF pages: the points per unit of a page, 1 unless the page says otherwise.

PDFium ignores it and has no function to read it.
"""

import re

import pypdfium2 as pdfium

from ocr_service.decoding.pdf_source import may_contain, written_page

_KEY = re.compile(rb"/UserUnit")
# PDFium writes the keys of a dictionary in alphabetical order.
_WRITTEN = re.compile(rb"/Type/Page/UserUnit ([0-9.]+)(?! \d+ R)")


def may_be_used(data: bytes) -> bool:
    """Return whether a page may have a user unit; False for almost all files."""
    return may_contain(data, _KEY)


def user_unit(pdf: pdfium.PdfDocument, index: int) -> float:
    """Return the points per unit of page `index`, from 1; raises PdfiumError."""
    found = _WRITTEN.search(written_page(pdf, index))
    return _number(found[1]) if found else 1.0


def _number(text: bytes) -> float:
    try:
        return float(text) or 1.0
    except ValueError:
        return 1.0
