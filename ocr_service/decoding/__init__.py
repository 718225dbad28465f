"""Bytes → pages. A document is opened whole and its pages are decoded one by one, as they are asked for."""

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

__all__ = ["Document", "Limits", "opened", "refuse_bad_pictures"]


class Document(Protocol):
    """An opened file."""

    page_count: int

    async def pixels(self, index: int) -> int:
        """Return how many pixels page `index`, from 1, has once decoded; raises PageError."""

    async def page(self, index: int) -> Page:
        """Decode page `index`, from 1; raises PageError for this page alone."""

    async def close(self) -> None:
        """Let go of the file."""


@asynccontextmanager
async def opened(data: bytes, *, dpi: int, mode: ImageMode, limits: Limits) -> AsyncIterator[Document]:
    """Open a file of any supported type and close it again.

    dpi: pixels per inch for pages that are drawn rather than scanned.
    Raises DocumentError for what is not supported, damaged or larger than the limits.
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


def refuse_bad_pictures(files: Iterable[bytes], limits: Limits) -> None:
    """Raise DocumentError for a file that is no picture, or a larger one than the limits; blocks."""
    for file in files:
        if (format_name := identify(file)) in (PDF, "TIFF"):
            raise TypeNotSupported("Pictures are JPEG or PNG files.")
        ImageFile(file, format_name, "RGB", limits)
