"""Opens documents of all supported types."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from ocr_service.core.documents import ImageMode
from ocr_service.core.errors import TypeNotSupported
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.decoding.document import Document
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.requests import Kind
from ocr_service.decoding.signatures import PDF, identify


@asynccontextmanager
async def open_document(
    data: bytes,
    *,
    dpi: int,
    mode: ImageMode,
    limits: Limits,
    password: str | None = None,
    caller: Caller = UNKNOWN,
) -> AsyncIterator[Document]:
    """Open a document of any supported type, and close it at the end.

    dpi: pixels per inch for PDF pages. password: of a PDF. caller: the sender.
    Raises DocumentError if the document is not supported, damaged or larger than the limits.
    """
    document = Document(data, Kind(identify(data), dpi, mode, limits, password), caller)
    try:
        await document.open()
        yield document
    finally:
        document.close()


async def check_images(files: Iterable[bytes], limits: Limits) -> None:
    """Raise DocumentError if a file is not an image or exceeds the limits."""
    for file in files:
        if identify(file) in (PDF, "TIFF"):
            raise TypeNotSupported("Pictures are JPEG or PNG files.")
        # The resolution is that of PDF pages only.
        async with open_document(file, dpi=1, mode="RGB", limits=limits):
            pass
