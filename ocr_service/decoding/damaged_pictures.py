"""Pictures of a PDF page that PDFium cannot decode, or only in part; it says nothing about it."""

import ctypes
from collections.abc import Sequence

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.decoding.page_objects import pictures
from ocr_service.decoding.picture_data import FAX, PICTURE_CODINGS, has_end_of_fax, is_whole

_WARNING = PageWarning(
    WarningCode.TRUNCATED_FILE,
    "A picture of the page is damaged or ends early: a part of its text is missing.",
)


def warnings_of(page: pdfium.PdfPage) -> tuple[PageWarning, ...]:
    """Return the warning for a page with such a picture."""
    # A page can draw one picture a thousand times, and some formats are decoded to look at them.
    seen = set[tuple[int, int, int]]()
    # Those of an annotation exist only until the next one.
    for picture in pictures(page):
        if (key := _key(picture)) not in seen:
            seen.add(key)
            if _is_damaged(picture, page):
                return (_WARNING,)
    return ()


def _key(picture: pdfium.PdfImage) -> tuple[int, int, int]:
    """Return a value that different pictures hardly share: the bytes, the width and the height."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium_c.FPDFImageObj_GetImagePixelSize(picture, width, height)
    return pdfium_c.FPDFImageObj_GetImageDataRaw(picture, None, 0), width.value, height.value


def _is_damaged(picture: pdfium.PdfImage, page: pdfium.PdfPage) -> bool:
    found = pdfium_c.FPDF_IMAGEOBJ_METADATA()
    pdfium_c.FPDFImageObj_GetImageMetadata(picture, page, found)
    if not found.bits_per_pixel:
        return True
    is_mask = found.colorspace == pdfium_c.FPDF_COLORSPACE_UNKNOWN
    return not _has_whole_data(picture, picture.get_filters(), is_mask)


def _has_whole_data(picture: pdfium.PdfImage, filters: Sequence[str], is_mask: bool) -> bool:
    """Return False if the data is known to lack a part; what PDFium cannot decode of a mask is not drawn."""
    if not filters:
        return True
    *outer, coding = filters
    data = bytes(picture.get_data())
    if outer:
        if not is_whole(outer[0], data):
            return False
        if coding not in PICTURE_CODINGS:
            return True
        # The outer filters undone.
        data = bytes(picture.get_data(decode_simple=True))
    if coding in FAX:
        return is_mask or has_end_of_fax(data) or not _ends_black(picture)
    return is_whole(coding, data)


def _ends_black(picture: pdfium.PdfImage) -> bool:
    """Return whether the last row of a fax is black, as rows are that PDFium cannot decode."""
    bitmap = picture.get_bitmap()
    return not any(bitmap.buffer[-bitmap.stride :][: bitmap.width])
