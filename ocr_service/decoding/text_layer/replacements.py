"""Text that a PDF states in place of what it draws (`/ActualText`); PDFium takes it as the text."""

import ctypes
import re
from typing import Any

import pypdfium2.raw as pdfium_c

# Signs such as hyphens and bullets, and ligatures: what honest files replace. Anything else could be a lie.
_HARMLESS = re.compile(r"[\W_]*|f?f[filt]|[cfs]t|tt|Th|ij|IJ")
_KEY = b"ActualText"


def has_stated_text(text: Any) -> bool:
    """Return whether a file states the text of a text object of PDFium."""
    size = ctypes.c_ulong()
    return any(
        pdfium_c.FPDFPageObjMark_GetParamStringValue(
            pdfium_c.FPDFPageObj_GetMark(text, number), _KEY, None, 0, size
        )
        for number in range(pdfium_c.FPDFPageObj_CountMarks(text))
    )


def is_harmless(stated: str) -> bool:
    """Return whether a text is one that honest files state."""
    return _HARMLESS.fullmatch(stated) is not None
