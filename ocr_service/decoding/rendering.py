"""One page of a PDF → its pixels, drawn where they are needed."""

import ctypes
import math
import mmap

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import ImageMode

_WHITE = 0xFFFFFFFF
# Annotations are rendered; the cache of decoded images is limited, to save memory.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_RENDER_LIMITEDIMAGECACHE
# Bytes per pixel as `canvas.py` says.
_PIXEL_FORMATS = {
    "L": (pdfium_c.FPDFBitmap_Gray, 1, pdfium_c.FPDF_GRAYSCALE),
    "RGB": (pdfium_c.FPDFBitmap_BGRx, 4, pdfium_c.FPDF_REVERSE_BYTE_ORDER),
}


def render(page: pdfium.PdfPage, scale: float, mode: ImageMode, memory: mmap.mmap) -> tuple[int, int]:
    """Render a page into the memory, and return its width and height in pixels; raises PdfiumError.

    scale: pixels per point.
    """
    width, height = (math.ceil(side * scale) for side in page.get_size())
    pixel_format, depth, flag = _PIXEL_FORMATS[mode]
    if width * height * depth > len(memory):
        raise pdfium.PdfiumError("the page is larger than its memory")
    pixels = ctypes.c_ubyte.from_buffer(memory)
    bitmap = pdfium_c.FPDFBitmap_CreateEx(width, height, pixel_format, ctypes.byref(pixels), width * depth)
    if not bitmap:
        raise pdfium.PdfiumError("the bitmap cannot be made")
    try:
        pdfium_c.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, _WHITE)
        placement = (0, 0, width, height, 0, _FLAGS | flag)
        pdfium_c.FPDF_RenderPageBitmap(bitmap, page, *placement)
        if page.formenv:
            pdfium_c.FPDF_FFLDraw(page.formenv, bitmap, page, *placement)
    finally:
        pdfium_c.FPDFBitmap_Destroy(bitmap)
    return width, height
