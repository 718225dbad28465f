"""PDF files → drawn pages, at the resolution of the engine and within the pixel limit."""

import math
import mmap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.core.errors import BrokenDocument, EncryptedPdf
from ocr_service.decoding import damaged_pictures, hidden_layers, scans, user_units
from ocr_service.decoding.font_report import FontReport, report_of
from ocr_service.decoding.fonts import FONTS
from ocr_service.decoding.glyphs import Glyphs
from ocr_service.decoding.marks import warnings_without_text
from ocr_service.decoding.open_pdf import OpenPdf
from ocr_service.decoding.page_objects import pictures
from ocr_service.decoding.page_scale import A4_SIDE, POINTS_PER_INCH, PageScale, is_tiny
from ocr_service.decoding.rendering import render
from ocr_service.decoding.requests import NO_COMMON_UNIT, Contents, Drawn, Kind
from ocr_service.decoding.text_layer.reading import read_text_layer
from ocr_service.decoding.text_layer.values import TextLayer
from ocr_service.runtime.processes.sandbox import limit_memory

_MIB = 2**20
# PDFium parses all contents of a page before it answers any question about the page, and parses a form as
# often as it is used: with two kilobytes of nested forms, this would take unlimited memory.
_TO_READ = 512 * _MIB
# The usual text of a page is read well at this resolution, and worse below it.
_READABLE_DPI = 100
# In addition, for each pixel that a picture may have: PDFium decodes a picture at its full size.
_TO_DRAW_A_PIXEL = 16

_GLYPHS = Glyphs(FONTS)

_DYNAMIC_FORM = PageWarning(
    WarningCode.DYNAMIC_FORM,
    "The PDF is a dynamic form (XFA): its own pages are not drawn, and their text is missing.",
)
_NO_PASSWORD = "The PDF needs a password; send it in the field `password`."
_WRONG_PASSWORD = "The password of the PDF is wrong."


class PdfFile:
    """An open PDF. known: what an earlier opening found."""

    def __init__(self, data: bytes, kind: Kind, known: Contents) -> None:
        self._scale = PageScale(kind.dpi, kind.limits)
        self._mode = kind.mode
        self._limits = kind.limits
        self._data = data
        limit_memory(_TO_READ)
        self._pdf = _open(data, kind.password)
        self.contents = known if known.page_count else self._find_contents(data)

    def close(self) -> None:
        """Release the memory."""
        self._pdf.close()

    def measure(self, index: int) -> int:
        """Return the number of pixels that page `index`, from 1, has at most; raises BrokenDocument."""
        try:
            # Read from the page tree; the contents of the page are not parsed.
            size: tuple[float, float] = self._pdf.document.get_page_size(index - 1)
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF is damaged.") from error
        (width, height), unit = size, self._unit(index)
        # The contents of the page are not known here.
        scale = unit * self._scale.of(width * unit, height * unit, picture=math.inf)
        return math.ceil(width * scale) * math.ceil(height * scale)

    def draw(self, index: int, memory: mmap.mmap) -> Drawn:
        """Draw page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        limit_memory(_TO_READ)
        try:
            with self._pdf.page(index, system_fonts=False) as page:
                self._check_pictures(page)
                report = report_of(page, _GLYPHS, with_system_fonts=False)
                if not report.needs_system_fonts:
                    return self._drawn(page, index, memory, report)
            with self._pdf.page(index, system_fonts=True) as page:
                report = report_of(page, _GLYPHS, with_system_fonts=True)
                return self._drawn(page, index, memory, report)
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"Page {index} of the PDF cannot be rendered.") from error

    def text_layer(self, index: int) -> TextLayer:
        """Read the text of page `index`, from 1, without drawing it; raises BrokenDocument."""
        limit_memory(_TO_READ)
        try:
            with self._pdf.page(index, system_fonts=False) as page:
                scale, point = self._pixels_per_unit(page, index), self._units_per_point(page, index)
                layer = read_text_layer(page, scale, point)
                return replace(layer, flaw=layer.flaw or self._layers_flaw(index) or self._form_flaw())
        except pdfium.PdfiumError as error:
            raise BrokenDocument(f"The text of page {index} of the PDF cannot be read.") from error

    def _find_contents(self, data: bytes) -> Contents:
        common_unit = NO_COMMON_UNIT if user_units.may_be_used(data) else 1.0
        return Contents(len(self._pdf.document), common_unit, hidden_layers.may_be_used(data))

    def _layers_flaw(self, index: int) -> str | None:
        if self.contents.may_hide_layers and hidden_layers.has_layers(self._pdf.document, index):
            return "Parts of the text are perhaps in layers that are not shown."
        return None

    def _is_dynamic_form(self) -> bool:
        """Return whether the file has a page for programs that cannot draw its form, instead of the form."""
        return bool(pdfium_c.FPDF_GetFormType(self._pdf.document) == pdfium_c.FORMTYPE_XFA_FULL)

    def _form_flaw(self) -> str | None:
        return _DYNAMIC_FORM.detail if self._is_dynamic_form() else None

    def _drawn(self, page: pdfium.PdfPage, index: int, memory: mmap.mmap, report: FontReport) -> Drawn:
        limit_memory(_TO_READ + _TO_DRAW_A_PIXEL * self._limits.max_page_pixels)
        scale = self._pixels_per_unit(page, index)
        damage = damaged_pictures.warnings_of(page)
        size = None if damage else self._scanned(page, scale, memory)
        size = size or render(page, scale, self._mode, memory)
        resolution = round(scale / self._unit(index) * POINTS_PER_INCH)
        # A page at the pixels of its scan has a wrong size, and so no resolution.
        known = resolution if resolution <= self._scale.dpi else None
        of_fonts = report.warnings(FONTS.files.missing_packages)
        without_text = warnings_without_text(page, size, self._mode, memory)
        return Drawn(*size, known, (*self._warnings_of(resolution), *of_fonts, *damage), without_text)

    def _warnings_of(self, resolution: int) -> Iterator[PageWarning]:
        if resolution < min(_READABLE_DPI, self._scale.dpi):
            detail = f"The page is so large that it was drawn at {resolution} dpi: small text may be missing."
            yield PageWarning(WarningCode.LOW_RESOLUTION, detail)
        if self._is_dynamic_form():
            yield _DYNAMIC_FORM

    def _scanned(self, page: pdfium.PdfPage, scale: float, memory: mmap.mmap) -> tuple[int, int] | None:
        """Take the pixels of a page that is one scan, and return their size; None for other pages."""
        scan = scans.scan_of(page, scale)
        if scan is None or self._may_change_pictures:
            return None
        with suppress(pdfium.PdfiumError):
            return scans.put_scan(scan, self._mode, memory)
        return None

    @cached_property
    def _may_change_pictures(self) -> bool:
        return scans.may_be_changed(self._data)

    def _pixels_per_unit(self, page: pdfium.PdfPage, index: int) -> float:
        unit = self._unit(index)
        width, height = (side * unit for side in page.get_size())
        picture = _scan_scale(page) / unit if is_tiny(width, height) else 0.0
        return self._scale.of(width, height, picture) * unit

    def _units_per_point(self, page: pdfium.PdfPage, index: int) -> float:
        """Return the units in a point; a tiny page may be a scaled one, so its points count as smaller."""
        unit = self._unit(index)
        side = max(page.get_size()) * unit
        return (side / A4_SIDE if is_tiny(side, side) else 1.0) / unit

    def _unit(self, index: int) -> float:
        """Return the points per unit of a page."""
        if self.contents.common_unit != NO_COMMON_UNIT:
            return self.contents.common_unit
        with suppress(pdfium.PdfiumError):
            return user_units.user_unit(self._pdf.document, index)
        return 1.0

    def _check_pictures(self, page: pdfium.PdfPage) -> None:
        """Apply the limits to embedded pictures, which PDFium decodes at full size even if they appear small.

        PDFium does not list the pictures of patterns and masks, so these are not checked.
        """
        for picture in pictures(page):
            # A picture that is so damaged that it has no size is not rendered.
            with suppress(pdfium.PdfiumError):
                self._limits.check_pixels(*picture.get_px_size())


def _scan_scale(page: pdfium.PdfPage) -> float:
    """Return the pixels per unit of the largest picture that covers at least half of the page, or 0."""
    width, height = page.get_size()
    scales = [0.0]
    for picture in pictures(page):
        with suppress(pdfium.PdfiumError):
            left, bottom, right, top = picture.get_bounds()
            area, (columns, rows) = (right - left) * (top - bottom), picture.get_px_size()
            if area >= width * height / 2:
                scales.append(math.sqrt(columns * rows / area))
    return max(scales)


def _open(data: bytes, password: str | None) -> OpenPdf:
    try:
        return OpenPdf(data, password)
    except pdfium.PdfiumError as error:
        if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
            raise EncryptedPdf(_WRONG_PASSWORD if password else _NO_PASSWORD) from None
        if error.err_code == pdfium_c.FPDF_ERR_SECURITY:
            raise EncryptedPdf(
                "The PDF is encrypted by a method that is not supported; send it without encryption."
            ) from None
        raise BrokenDocument("The PDF is damaged: its structure cannot be read.") from error
