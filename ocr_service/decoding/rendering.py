"""One page of a PDF → an image, rendered in steps, so that a page that takes too long can be stopped.

PDFium calls back after every hundred objects. If each object is blended with everything below it, a hundred
of them may take minutes: these cannot be stopped, and other PDFs wait meanwhile.
"""

import math
from collections.abc import Callable

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image
from pypdfium2.internal import set_callback

from ocr_service.core.documents import ImageMode

_WHITE = (255, 255, 255, 255)
# Annotations are rendered; the cache of decoded images is limited, to save memory.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_RENDER_LIMITEDIMAGECACHE
_PIXEL_FORMATS = {
    "L": (pdfium_c.FPDFBitmap_Gray, pdfium_c.FPDF_GRAYSCALE),
    "RGB": (pdfium_c.FPDFBitmap_BGR, pdfium_c.FPDF_REVERSE_BYTE_ORDER),
}


class RenderingStopped(Exception):
    """The rendering of a page was stopped before its end."""


def render(
    page: pdfium.PdfPage, scale: float, mode: ImageMode, should_stop: Callable[[], bool]
) -> Image.Image:
    """Render a page; raises RenderingStopped, or PdfiumError.

    scale: pixels per point. should_stop: called between two steps; True stops the rendering.
    """
    width, height = (math.ceil(side * scale) for side in page.get_size())
    pixel_format, flag = _PIXEL_FORMATS[mode]
    bitmap = pdfium.PdfBitmap.new_native(width, height, pixel_format, rev_byteorder=mode == "RGB")
    try:
        bitmap.fill_rect(_WHITE, 0, 0, width, height)
        _render_onto(bitmap, page, (0, 0, width, height, 0, _FLAGS | flag), should_stop)
        # `convert` copies even if the mode is the same, because the bitmap's memory is freed below.
        image: Image.Image = bitmap.to_pil().convert(mode)
        return image
    finally:
        bitmap.close()


def _render_onto(
    bitmap: pdfium.PdfBitmap,
    page: pdfium.PdfPage,
    placement: tuple[int, ...],
    should_stop: Callable[[], bool],
) -> None:
    pause = pdfium_c.IFSDK_PAUSE(version=1)
    set_callback(pause, "NeedToPauseNow", lambda _: should_stop())
    status = pdfium_c.FPDF_RenderPageBitmap_Start(bitmap, page, *placement, pause)
    pdfium_c.FPDF_RenderPage_Close(page)
    if status == pdfium_c.FPDF_RENDER_TOBECONTINUED:
        raise RenderingStopped
    if status == pdfium_c.FPDF_RENDER_FAILED:
        raise pdfium.PdfiumError("the page cannot be rendered")
    if page.formenv:
        pdfium_c.FPDF_FFLDraw(page.formenv, bitmap, page, *placement)
