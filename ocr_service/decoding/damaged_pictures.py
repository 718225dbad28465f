"""Pictures of a PDF page that PDFium cannot decode, and leaves out without an error."""

import ctypes

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.decoding.page_objects import pictures

_WARNING = PageWarning(
    WarningCode.TRUNCATED_FILE, "A picture of the page is damaged and was not drawn: its text is missing."
)


def warnings_of(page: pdfium.PdfPage) -> tuple[PageWarning, ...]:
    """Return the warning for a page with such a picture."""
    # A page can draw one picture a thousand times, and some formats are decoded to look at them.
    seen = set[tuple[int, int, int]]()
    # Those of an annotation exist only until the next one.
    for picture in pictures(page):
        if (key := _key(picture)) not in seen:
            seen.add(key)
            if not _can_be_decoded(picture, page):
                return (_WARNING,)
    return ()


def _key(picture: pdfium.PdfObject) -> tuple[int, int, int]:
    """Return a value that different pictures hardly share: the bytes, the width and the height."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium_c.FPDFImageObj_GetImagePixelSize(picture, width, height)
    return pdfium_c.FPDFImageObj_GetImageDataRaw(picture, None, 0), width.value, height.value


def _can_be_decoded(picture: pdfium.PdfObject, page: pdfium.PdfPage) -> bool:
    found = pdfium_c.FPDF_IMAGEOBJ_METADATA()
    pdfium_c.FPDFImageObj_GetImageMetadata(picture, page, found)
    return bool(found.bits_per_pixel)
