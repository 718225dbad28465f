"""One page of a PDF → its picture, drawn in steps, so that one which takes too long can be given up.

PDFium asks after every hundred objects. Where each is blended with all that lies below it, a hundred of them
may take minutes: nothing stops those, and other PDFs wait meanwhile.
"""

import math
from collections.abc import Callable

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image
from pypdfium2.internal import set_callback

from ocr_service.core.documents import ImageMode

_WHITE = (255, 255, 255, 255)
# With annotations; and not all pictures of the page are kept decoded until it is drawn.
_FLAGS = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_RENDER_LIMITEDIMAGECACHE
_FORMS = {
    "L": (pdfium_c.FPDFBitmap_Gray, pdfium_c.FPDF_GRAYSCALE),
    "RGB": (pdfium_c.FPDFBitmap_BGR, pdfium_c.FPDF_REVERSE_BYTE_ORDER),
}


class GivenUp(Exception):
    """The page was not drawn to its end."""


def draw(page: pdfium.PdfPage, scale: float, mode: ImageMode, is_over: Callable[[], bool]) -> Image.Image:
    """Draw a page at so many pixels a point; raises GivenUp, or PdfiumError.

    is_over: asked between two steps whether to give it up.
    """
    width, height = (math.ceil(side * scale) for side in page.get_size())
    form, flag = _FORMS[mode]
    bitmap = pdfium.PdfBitmap.new_native(width, height, form, rev_byteorder=mode == "RGB")
    try:
        bitmap.fill_rect(_WHITE, 0, 0, width, height)
        _draw_onto(bitmap, page, (0, 0, width, height, 0, _FLAGS | flag), is_over)
        # Converting copies, also where the mode is the same: the bitmap's memory ends with it.
        image: Image.Image = bitmap.to_pil().convert(mode)
        return image
    finally:
        bitmap.close()


def _draw_onto(
    bitmap: pdfium.PdfBitmap, page: pdfium.PdfPage, how: tuple[int, ...], is_over: Callable[[], bool]
) -> None:
    pause = pdfium_c.IFSDK_PAUSE(version=1)
    set_callback(pause, "NeedToPauseNow", lambda _: is_over())
    outcome = pdfium_c.FPDF_RenderPageBitmap_Start(bitmap, page, *how, pause)
    pdfium_c.FPDF_RenderPage_Close(page)
    if outcome == pdfium_c.FPDF_RENDER_TOBECONTINUED:
        raise GivenUp
    if outcome == pdfium_c.FPDF_RENDER_FAILED:
        raise pdfium.PdfiumError("the page cannot be drawn")
    if page.formenv:
        pdfium_c.FPDF_FFLDraw(page.formenv, bitmap, page, *how)
