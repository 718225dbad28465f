"""The user unit of PDF pages: the points per unit of a page, 1 unless the page says otherwise.

PDFium ignores it and has no function to read it. It does keep the entry when it copies a page into a new
document, and writes that document as plain text.
"""

import io
import re
import zlib
from collections.abc import Iterator

import pypdfium2 as pdfium

_KEY = b"/UserUnit"
# PDFium writes the keys of a dictionary in alphabetical order.
_WRITTEN = re.compile(rb"/Type/Page/UserUnit ([0-9.]+)(?! \d+ R)")
_OBJECT_STREAM = re.compile(rb"/ObjStm\b.{0,1000}?stream\r?\n", re.DOTALL)
# If the object streams of a file are larger, each page is looked at.
_MAX_SEARCHED_BYTES = 64 * 2**20


def may_be_used(data: bytes) -> bool:
    """Return whether a page may have a user unit; False for almost all files."""
    if _KEY in data:
        return True
    if b"/ObjStm" not in data:
        return False
    return b"/Encrypt" in data or any(_KEY in packed for packed in _object_streams(data))


def user_unit(pdf: pdfium.PdfDocument, index: int) -> float:
    """Return the points per unit of page `index`, from 1; raises PdfiumError."""
    copy, written = pdfium.PdfDocument.new(), io.BytesIO()
    try:
        copy.import_pages(pdf, [index - 1])
        copy.save(written)
    finally:
        copy.close()
    found = _WRITTEN.search(written.getvalue())
    return _number(found[1]) if found else 1.0


def _number(text: bytes) -> float:
    try:
        return float(text) or 1.0
    except ValueError:
        return 1.0


def _object_streams(data: bytes) -> Iterator[bytes]:
    """Yield the decompressed object streams, and the key itself if they are too large to search."""
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
            yield _KEY
            return
