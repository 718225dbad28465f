"""PDF files → rendered pages, at the resolution of the engine and within the pixel limit.

PDFium is not thread-safe, not even across documents: all calls run on the single thread of `_PDFIUM`.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import ImageMode, Page
from ocr_service.core.errors import BrokenDocument, EncryptedPdf
from ocr_service.decoding.fonts import FONTS
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.open_pdf import OpenPdf
from ocr_service.decoding.page_objects import pictures
from ocr_service.decoding.probe import NO_PAGE, PageReport, Probe
from ocr_service.decoding.rendering import RenderingStopped, render
from ocr_service.runtime.threads import run_in_thread

POINTS_PER_INCH = 72

# CPU time, limited because other documents wait for the thread. A scanned page takes tenths of a second, a
# dense map seconds. The clock is no measure on a busy machine; when the request times out, the document is
# closed.
_MAX_RENDER_SECONDS = 60.0

_PDFIUM = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pdfium", initializer=FONTS.install)
_PROBING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pdf-probe")
_PROBE = Probe()


class PdfFile:
    """An open PDF; `open` creates it."""

    def __init__(self, data: bytes, dpi: int, mode: ImageMode, limits: Limits) -> None:
        self._data = data
        self._dpi = dpi
        self._mode = mode
        self._limits = limits
        self._pdf: OpenPdf | None = None
        self._is_closed = False
        self._render_deadline = math.inf
        # Points per unit of all pages; NO_COMMON_UNIT if the probe must be asked for each page.
        self._common_unit = 1.0
        self.page_count = 0

    @classmethod
    async def open(cls, data: bytes, dpi: int, mode: ImageMode, limits: Limits) -> "PdfFile":
        """Parse the file; raises EncryptedPdf or BrokenDocument."""
        document = cls(data, dpi, mode, limits)
        document._common_unit = (await document._probe(NO_PAGE)).user_unit
        try:
            await run_in_thread(_PDFIUM, document._parse)
        except BaseException:
            # Even if the caller is cancelled: the memory of PDFium must be freed on its own thread.
            await document.close()
            raise
        return document

    async def pixels(self, index: int) -> int:
        """Return the number of pixels of page `index`, from 1, after rendering; raises BrokenDocument."""
        unit = self._common_unit or (await self._probe(index)).user_unit
        return await run_in_thread(_PDFIUM, self._measure, index, unit)

    async def page(self, index: int) -> Page:
        """Render page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        report = await self._probe(index)
        return await run_in_thread(_PDFIUM, self._render, index, report)

    async def close(self) -> None:
        """Release the document's memory after PDFium has stopped using it."""
        self._is_closed = True
        # Not awaited: PDFium may render a page for minutes, and a request that timed out must answer at once.
        _PDFIUM.submit(self._free)

    async def _probe(self, index: int) -> PageReport:
        return await run_in_thread(_PROBING, _PROBE.check, self, self._data, index)

    def _parse(self) -> None:
        try:
            self._pdf = OpenPdf(self._data)
        except pdfium.PdfiumError as error:
            if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                raise EncryptedPdf("The PDF needs a password; send it without one.") from None
            if error.err_code == pdfium_c.FPDF_ERR_SECURITY:
                raise EncryptedPdf(
                    "The PDF is encrypted by a method that is not supported; send it without encryption."
                ) from None
            raise BrokenDocument("The PDF is damaged: its structure cannot be read.") from error
        self.page_count = len(self._pdf.document)
        if not self.page_count:
            raise BrokenDocument("The PDF has no pages.")

    def _free(self) -> None:
        if self._pdf is not None:
            self._pdf.close()

    def _measure(self, index: int, unit: float) -> int:
        assert self._pdf is not None
        try:
            # Read from the page tree; the contents of the page are not parsed.
            size: tuple[float, float] = self._pdf.document.get_page_size(index - 1)
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF is damaged.") from error
        width, height = size
        scale = unit * self._scale(width * unit, height * unit)
        return math.ceil(width * scale) * math.ceil(height * scale)

    def _render(self, index: int, report: PageReport) -> Page:
        assert self._pdf is not None
        if self._is_closed:
            # Closed while the page was probed.
            raise BrokenDocument(f"Page {index} of the PDF is not needed any more.")
        unit = report.user_unit
        self._render_deadline = time.thread_time() + _MAX_RENDER_SECONDS
        try:
            with self._pdf.page(index, system_fonts=report.fonts.needs_system_fonts) as page:
                self._check_pictures(page)
                width, height = page.get_size()
                scale = self._scale(width * unit, height * unit)
                image = render(page, scale * unit, self._mode, self._should_stop)
        except RenderingStopped:
            raise BrokenDocument(
                f"Page {index} of the PDF takes more than {_MAX_RENDER_SECONDS:g} s of CPU time to render."
            ) from None
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF cannot be rendered.") from error
        warnings = report.fonts.warnings(FONTS.files.missing_packages)
        return Page(index, image, round(scale * POINTS_PER_INCH), warnings)

    def _should_stop(self) -> bool:
        # Called on the thread that renders, so that this is its CPU time.
        return self._is_closed or time.thread_time() > self._render_deadline

    def _scale(self, width: float, height: float) -> float:
        """Return the pixels per point for the resolution, or fewer if the page would exceed the limits."""
        if not (width > 0 and height > 0 and math.isfinite(width * height)):
            raise BrokenDocument("The page of the PDF has no area.")
        return min(self._dpi / POINTS_PER_INCH, self._largest_scale(width, height))

    def _largest_scale(self, width: float, height: float) -> float:
        """Solve (width * s + 1) * (height * s + 1) = limit, because sides are rounded up to whole pixels."""
        area, sides = width * height, width + height
        discriminant = sides**2 + 4 * area * (self._limits.max_page_pixels - 1)
        by_pixels = (math.sqrt(discriminant) - sides) / (2 * area)
        return min(by_pixels, (self._limits.max_page_side - 1) / max(width, height))

    def _check_pictures(self, page: pdfium.PdfPage) -> None:
        """Apply the limits to embedded pictures, which PDFium decodes at full size even if they appear small.

        PDFium does not list the pictures of patterns and masks, so these are not checked.
        """
        for picture in pictures(page):
            # A picture that is so damaged that it has no size is not rendered.
            with suppress(pdfium.PdfiumError):
                self._limits.check_pixels(*picture.get_px_size())
