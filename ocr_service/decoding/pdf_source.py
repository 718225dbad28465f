"""The bytes of a PDF, for entries that PDFium has no function to read."""

import io
import re
import zlib
from collections.abc import Iterator

import pypdfium2 as pdfium

_OBJECT_STREAM = re.compile(rb"/ObjStm\b.{0,1000}?stream\r?\n", re.DOTALL)
# Larger object streams are not searched.
_MAX_SEARCHED_BYTES = 64 * 2**20


def may_contain(data: bytes, entry: re.Pattern[bytes]) -> bool:
    """Return whether a file may have an entry; True if it is encrypted, or too large to search."""
    if entry.search(data):
        return True
    if b"/ObjStm" not in data:
        return False
    return b"/Encrypt" in data or any(
        packed is None or entry.search(packed) is not None for packed in _object_streams(data)
    )


def written_page(pdf: pdfium.PdfDocument, index: int) -> bytes:
    """Return page `index`, from 1, as a file of its own, not encrypted; raises PdfiumError.

    PDFium keeps all entries when it copies a page into a new document, and writes it in plain text.
    """
    copy, written = pdfium.PdfDocument.new(), io.BytesIO()
    try:
        copy.import_pages(pdf, [index - 1])
        copy.save(written)
    finally:
        copy.close()
    return written.getvalue()


def _object_streams(data: bytes) -> Iterator[bytes | None]:
    """Yield the decompressed object streams, and None if they are too large to search."""
    left = _MAX_SEARCHED_BYTES
    for found in _OBJECT_STREAM.finditer(data):
        end = data.find(b"endstream", found.end())
        try:
            # Only this stream is passed, because zlib copies all bytes that follow it.
            packed = zlib.decompressobj().decompress(data[found.end() : end], left)
        except zlib.error:
            continue
        yield packed
        left -= len(packed)
        if left <= 0:
            yield None
            return
