"""Marks that a program drew on a PDF page: none of them is dust, even if they are tiny or pale."""

import mmap
from contextlib import suppress

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import ImageMode, PageWarning, WarningCode
from ocr_service.decoding.canvas import has_contrast
from ocr_service.decoding.page_objects import page_objects

# Part of the page. If pictures cover more, marks can be dust of a scanner, and text is large enough to be
# told from it.
_MOST_PICTURES = 1 / 20
# A fill of the whole page can be a little lighter at its edges.
_MIN_CONTRAST = 8

_TOO_SMALL = PageWarning(
    WarningCode.NO_TEXT,
    "The page is not blank, but no text was found on it: it may be too small or too pale.",
)


def warnings_without_text(
    page: pdfium.PdfPage, size: tuple[int, int], mode: ImageMode, memory: mmap.mmap
) -> tuple[PageWarning, ...]:
    """Return the warning for a page on which no text is found, if something is drawn there.

    size, mode, memory: its pixels.
    """
    is_marked = has_contrast(memory, size, mode, _MIN_CONTRAST) and not _is_scan(page)
    return (_TOO_SMALL,) if is_marked else ()


def _is_scan(page: pdfium.PdfPage) -> bool:
    width, height = page.get_size()
    covered = sum(_area(found) for found in page.get_objects(max_depth=1) if _has_picture(page, found))
    return bool(covered > _MOST_PICTURES * width * height)


def _has_picture(page: pdfium.PdfPage, found: pdfium.PdfObject) -> bool:
    if found.type != pdfium_c.FPDF_PAGEOBJ_FORM:
        return bool(found.type == pdfium_c.FPDF_PAGEOBJ_IMAGE)
    return any(True for _ in page_objects(page, pdfium_c.FPDF_PAGEOBJ_IMAGE, form=found))


def _area(found: pdfium.PdfObject) -> float:
    with suppress(pdfium.PdfiumError):
        left, bottom, right, top = found.get_bounds()
        return float((right - left) * (top - bottom))
    return 0.0
