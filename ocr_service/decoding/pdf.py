"""PDF files → rendered pages, at the engine's resolution and within the pixel limit.

PDFium is not thread-safe, not even across documents: every call into it runs on the one thread of `_PDFIUM`.
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import ImageMode, Page
from ocr_service.core.errors import BrokenDocument, EncryptedPdf
from ocr_service.decoding.drawing import GivenUp, draw
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.probing import NO_PAGE, Probe
from ocr_service.runtime.threads import run_in_thread

POINTS_PER_INCH = 72

# Pictures can be nested in form objects, as deep as PDFium itself follows them.
_FORM_DEPTH = 41

# Other documents wait for the thread: a page of a scan takes some tenths of a second, a crowded map seconds.
_LONGEST_DRAWING = 60.0

_PDFIUM = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pdfium")
_PROBING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pdf-probe")
_PROBE = Probe()


class PdfFile:
    """A PDF, once `open` has returned."""

    def __init__(self, data: bytes, dpi: int, mode: ImageMode, limits: Limits) -> None:
        self._data = data
        self._dpi = dpi
        self._mode = mode
        self._limits = limits
        self._pdf: pdfium.PdfDocument | None = None
        # When its pages are not needed any more, and when the one being drawn takes too long.
        self._is_closed, self._draws_until = False, math.inf
        self.page_count = 0

    @classmethod
    async def open(cls, data: bytes, dpi: int, mode: ImageMode, limits: Limits) -> "PdfFile":
        """Parse the file; raises EncryptedPdf or BrokenDocument."""
        document = cls(data, dpi, mode, limits)
        await document._probed(NO_PAGE)
        try:
            await run_in_thread(_PDFIUM, document._parse)
        except BaseException:
            # Also when the caller has left meanwhile: PDFium's memory must be freed on its own thread.
            await document.close()
            raise
        return document

    async def pixels(self, index: int) -> int:
        """Return how many pixels page `index`, from 1, is rendered to; raises BrokenDocument."""
        return await run_in_thread(_PDFIUM, self._measure, index)

    async def page(self, index: int) -> Page:
        """Render page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        await self._probed(index)
        return await run_in_thread(_PDFIUM, self._render, index)

    async def close(self) -> None:
        """Let go of the file's bytes and of what PDFium made of them, once it does nothing with them."""
        self._is_closed = True
        # Not waited for: PDFium may draw one page for minutes, and who has run out of time is told at once.
        _PDFIUM.submit(self._free)

    async def _probed(self, index: int) -> None:
        await run_in_thread(_PROBING, _PROBE.look, self, self._data, index)

    def _parse(self) -> None:
        try:
            self._pdf = pdfium.PdfDocument(self._data)
            # What a person typed into a form is drawn only with the form environment.
            self._pdf.init_forms()
        except pdfium.PdfiumError as error:
            if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                raise EncryptedPdf("The PDF needs a password; send it without one.") from None
            raise BrokenDocument("The PDF is damaged: its structure cannot be read.") from error
        self.page_count = len(self._pdf)
        if not self.page_count:
            raise BrokenDocument("The PDF has no pages.")

    def _free(self) -> None:
        if self._pdf is not None:
            self._pdf.close()

    def _measure(self, index: int) -> int:
        assert self._pdf is not None
        try:
            # Of the page tree alone: what is drawn is not looked at.
            size: tuple[float, float] = self._pdf.get_page_size(index - 1)
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF is damaged.") from error
        width, height = size
        scale = self._scale(width, height)
        return math.ceil(width * scale) * math.ceil(height * scale)

    def _render(self, index: int) -> Page:
        assert self._pdf is not None
        if self._is_closed:
            # While the page was probed.
            raise BrokenDocument(f"Page {index} of the PDF is not needed any more.")
        try:
            page = self._pdf[index - 1]
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF is damaged.") from error
        self._draws_until = time.monotonic() + _LONGEST_DRAWING
        try:
            self._refuse_huge_pictures(page)
            scale = self._scale(*page.get_size())
            image = draw(page, scale, self._mode, self._is_over)
        except GivenUp:
            raise BrokenDocument(
                f"Page {index} of the PDF takes more than {_LONGEST_DRAWING:g} s to draw."
            ) from None
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF cannot be rendered.") from error
        finally:
            page.close()
        return Page(index, image, round(scale * POINTS_PER_INCH))

    def _is_over(self) -> bool:
        return self._is_closed or time.monotonic() > self._draws_until

    def _scale(self, width: float, height: float) -> float:
        """Pixels a point: what the resolution asks for, less where the page would pass the limit."""
        wanted = self._dpi / POINTS_PER_INCH
        if not (width > 0 and height > 0 and math.isfinite(width * height)):
            raise BrokenDocument("The PDF's page has no area.")
        return min(wanted, self._largest_scale(width, height))

    def _largest_scale(self, width: float, height: float) -> float:
        """Solve (width * s + 1) * (height * s + 1) = limit, as sides are rounded up to whole pixels."""
        area, sides = width * height, width + height
        spare = 4 * area * (self._limits.max_page_pixels - 1)
        by_pixels = (math.sqrt(sides**2 + spare) - sides) / (2 * area)
        return min(by_pixels, (self._limits.max_page_side - 1) / max(width, height))

    def _refuse_huge_pictures(self, page: pdfium.PdfPage) -> None:
        """Hold embedded pictures to the limit: PDFium decodes them whole, however small they are drawn.

        It does not show the pictures of patterns and masks, so those are not held.
        """
        for picture in chain(pictures(page), annotation_pictures(page)):
            # A picture so damaged that it has no size is not drawn.
            with suppress(pdfium.PdfiumError):
                self._limits.refuse_too_many_pixels(*picture.get_px_size())


def pictures(page: pdfium.PdfPage, form: pdfium.PdfObject | None = None) -> Iterator[pdfium.PdfObject]:
    """Yield the pictures that the page, or one form on it, draws."""
    yield from page.get_objects([pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=_FORM_DEPTH, form=form)


def annotation_pictures(page: pdfium.PdfPage) -> Iterator[pdfium.PdfObject]:
    """Yield the pictures that stamps and other annotations draw."""
    for number in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, number)
        try:
            for place in range(pdfium_c.FPDFAnnot_GetObjectCount(annotation)):
                raw = pdfium_c.FPDFAnnot_GetObject(annotation, place)
                kind = pdfium_c.FPDFPageObj_GetType(raw)
                if kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
                    yield pdfium.PdfImage(raw, page=page, pdf=page.pdf)
                elif kind == pdfium_c.FPDF_PAGEOBJ_FORM:
                    yield from pictures(page, form=pdfium.PdfObject(raw, page=page, pdf=page.pdf))
        finally:
            pdfium_c.FPDFPage_CloseAnnot(annotation)
