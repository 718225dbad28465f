"""Bytes → pages: a document is opened as a whole, and its pages are decoded one by one on demand."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

from ocr_service.core.documents import ImageMode, Page
from ocr_service.core.errors import TypeNotSupported
from ocr_service.decoding.images import ImageFile
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.pdf import PdfFile
from ocr_service.decoding.signatures import PDF, identify

__all__ = ["Document", "Limits", "check_images", "open_document"]


class Document(Protocol):
    """An open document."""

    page_count: int

    async def pixels(self, index: int) -> int:
        """Return the number of pixels of page `index`, from 1, after decoding; raises PageError."""

    async def page(self, index: int) -> Page:
        """Decode page `index`, from 1; raises PageError for this page alone."""

    async def close(self) -> None:
        """Release the document's memory."""


@asynccontextmanager
async def open_document(data: bytes, *, dpi: int, mode: ImageMode, limits: Limits) -> AsyncIterator[Document]:
    """Open a document of any supported type, and close it at the end.

    dpi: pixels per inch for PDF pages.
    Raises DocumentError if the document is not supported, damaged or larger than the limits.
    """
    format_name = identify(data)
    document: Document
    if format_name == PDF:
        document = await PdfFile.open(data, dpi, mode, limits)
    else:
        document = await asyncio.to_thread(ImageFile, data, format_name, mode, limits)
    try:
        yield document
    finally:
        await document.close()


def check_images(files: Iterable[bytes], limits: Limits) -> None:
    """Raise DocumentError if a file is not an image or exceeds the limits; blocks."""
    for file in files:
        if (format_name := identify(file)) in (PDF, "TIFF"):
            raise TypeNotSupported("Pictures are JPEG or PNG files.")
        ImageFile(file, format_name, "RGB", limits)
