"""Pages of a PDF that are one scan: its own pixels are taken.

PDFium takes ten times as long to draw a scan as to decode it. It also blurs it: its sizes are not exact, and
2480 pixels become 2481.
"""

import mmap
import re

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

from ocr_service.core.documents import ImageMode
from ocr_service.decoding import hidden_layers
from ocr_service.decoding.canvas import put_image
from ocr_service.decoding.pdf_source import may_contain

# Masks and transfer functions, which PDFium has no functions to read.
_CHANGES = (re.compile(rb"Mask"), re.compile(rb"/TR2?\s*[\[/<\d]"))
_OPAQUE = (pdfium_c.FPDFBitmap_Gray, pdfium_c.FPDFBitmap_BGR, pdfium_c.FPDFBitmap_BGRx)
_NO_CLIP_PATH = -1


def may_be_changed(data: bytes) -> bool:
    """Return whether pictures of a file may be drawn with other pixels than their own, or not at all."""
    return hidden_layers.may_be_used(data) or any(may_contain(data, change) for change in _CHANGES)


def scan_of(page: pdfium.PdfPage, scale: float) -> pdfium.PdfImage | None:
    """Return the picture that is all of a page, and has as many pixels as the page as drawn, up to one.

    scale: pixels per unit of the page. Whether a mask hides parts of the picture is not known here.
    """
    is_more = page.get_rotation() or pdfium_c.FPDFPage_GetAnnotCount(page)
    if is_more or pdfium_c.FPDFPage_CountObjects(page) != 1:
        return None
    (only,) = page.get_objects(max_depth=1)
    is_picture = only.type == pdfium_c.FPDF_PAGEOBJ_IMAGE
    return only if is_picture and _is_plain(only, page) and _fills(only, page, scale) else None


def put_scan(scan: pdfium.PdfImage, mode: ImageMode, memory: mmap.mmap) -> tuple[int, int] | None:
    """Decode a scan into the memory, and return its width and height; None if its pixels are not opaque.

    Raises PdfiumError.
    """
    bitmap = scan.get_bitmap()
    if bitmap.format not in _OPAQUE:
        return None
    image: Image.Image = bitmap.to_pil()
    put_image(memory, image if image.mode == mode else image.convert(mode))
    return image.size


def _is_plain(picture: pdfium.PdfImage, page: pdfium.PdfPage) -> bool:
    """Return whether a picture is neither cut nor transparent, and no stencil."""
    found = pdfium_c.FPDF_IMAGEOBJ_METADATA()
    pdfium_c.FPDFImageObj_GetImageMetadata(picture, page, found)
    paths = pdfium_c.FPDFClipPath_CountPaths(pdfium_c.FPDFPageObj_GetClipPath(picture))
    is_opaque = not pdfium_c.FPDFPageObj_HasTransparency(picture)
    is_stencil = found.colorspace == pdfium_c.FPDF_COLORSPACE_UNKNOWN
    return is_opaque and not is_stencil and paths == _NO_CLIP_PATH


def _fills(picture: pdfium.PdfImage, page: pdfium.PdfPage, scale: float) -> bool:
    """Return whether an upright picture has the edges of the page, and its pixels."""
    left, bottom, right, top = page.get_bbox()
    width, rising, leaning, height, x, y = picture.get_matrix().get()
    if rising or leaning:
        return False
    columns, rows = picture.get_px_size()
    beyond = (
        *(scale * edge for edge in (x - left, y - bottom, x + width - right, y + height - top)),
        *(width * scale - columns, height * scale - rows),
    )
    return bool(max(map(abs, beyond)) < 1)
