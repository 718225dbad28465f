"""A PDF in memory that is open for PDFium, with its form fields."""

from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.decoding.fonts import FONTS


class OpenPdf:
    """An open PDF; opened a second time for the pages that need the fonts of the machine.

    PDFium keeps each font that it has loaded until the document is closed. Raises PdfiumError.
    """

    def __init__(self, data: bytes, password: str | None = None) -> None:
        self._data = data
        self._password = password
        self._documents = {False: _open(data, password)}

    @property
    def document(self) -> pdfium.PdfDocument:
        """The document, with the faces of PDFium."""
        return self._documents[False]

    @contextmanager
    def page(self, index: int, *, system_fonts: bool) -> Iterator[pdfium.PdfPage]:
        """Load page `index`, from 1, to read and draw it with the fonts of the machine or without them."""
        with FONTS.used(system_fonts):
            if system_fonts not in self._documents:
                self._documents[system_fonts] = _open(self._data, self._password)
            page = self._documents[system_fonts][index - 1]
            try:
                yield page
            finally:
                page.close()

    def close(self) -> None:
        """Release the memory."""
        for document in self._documents.values():
            document.close()


def _open(data: bytes, password: str | None) -> pdfium.PdfDocument:
    # Resets the last error to that of the format: a PDF without pages sets none, and would have the error of
    # the document before it.
    pdfium_c.FPDF_LoadMemDocument64(b"", 0, None)
    document = pdfium.PdfDocument(data, password)
    # PDFium draws form fields only in a form environment. `init_forms` makes none if the PDF lists no fields,
    # but the pages can have some.
    config = pdfium_c.FPDF_FORMFILLINFO(version=2)
    if environment := pdfium_c.FPDFDOC_InitFormFillEnvironment(document, config):
        document.formenv = pdfium.PdfFormEnv(environment, config)
    return document
