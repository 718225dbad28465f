"""One page of a PDF → its pixels, drawn where they are needed."""

import ctypes
import mmap

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import ImageMode
from ocr_service.decoding.page_scale import drawn_size

_WHITE = 0xFFFFFFFF
# Annotations are rendered; the cache of decoded images is limited, to save memory.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_RENDER_LIMITEDIMAGECACHE
# PDFium covers all pixels that a scan touches. By rounding errors, a scan of the whole page would touch a row
# more than it has, and be stretched: it would take half as long again, and its letters would be blurred.
_SHRUNK = 1 - 1e-6
# Bytes per pixel as `canvas.py` says.
_PIXEL_FORMATS = {
    "L": (pdfium_c.FPDFBitmap_Gray, 1, pdfium_c.FPDF_GRAYSCALE),
    "RGB": (pdfium_c.FPDFBitmap_BGRx, 4, pdfium_c.FPDF_REVERSE_BYTE_ORDER),
}


def render(page: pdfium.PdfPage, scale: float, mode: ImageMode, memory: mmap.mmap) -> tuple[int, int]:
    """Render a page into the memory, and return its width and height in pixels; raises PdfiumError.

    scale: pixels per point.
    """
    width, height = drawn_size(page.get_size(), scale)
    pixel_format, depth, flag = _PIXEL_FORMATS[mode]
    if width * height * depth > len(memory):
        raise pdfium.PdfiumError("the page is larger than its memory")
    pixels = ctypes.c_ubyte.from_buffer(memory)
    bitmap = pdfium_c.FPDFBitmap_CreateEx(width, height, pixel_format, ctypes.byref(pixels), width * depth)
    if not bitmap:
        raise pdfium.PdfiumError("the bitmap cannot be made")
    try:
        pdfium_c.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
        matrix, whole = _matrix(page, width, height), pdfium_c.FS_RECTF(0, 0, width, height)
        pdfium_c.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, whole, _FLAGS | flag)
        if page.formenv:
            pdfium_c.FPDF_FFLDraw(page.formenv, bitmap, page, 0, 0, width, height, 0, _FLAGS | flag)
    finally:
        pdfium_c.FPDFBitmap_Destroy(bitmap)
    return width, height


def _matrix(page: pdfium.PdfPage, width: int, height: int) -> pdfium_c.FS_MATRIX:
    """Return the map to so many pixels, from the page at one pixel a point."""
    across, down = (pixels / points for pixels, points in zip((width, height), page.get_size(), strict=True))
    left, top = (side * (1 - _SHRUNK) / 2 for side in (width, height))
    return pdfium_c.FS_MATRIX(across * _SHRUNK, 0, 0, down * _SHRUNK, left, top)
