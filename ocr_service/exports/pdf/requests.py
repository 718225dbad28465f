"""The request of the service to the process that writes PDFs, and its reply."""

import pickle
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from ocr_service.decoding.limits import Limits
from ocr_service.exports.pdf.page_text import PageText
from ocr_service.runtime.memory import joined

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Order:
    """The content of a PDF to write.

    format_name: of the document, as `signatures.identify` returns it. pages: the ones that the PDF has, in
    order. archival: whether it must be PDF/A. limits: for pictures. password: of the document.
    """

    format_name: str
    pages: tuple[PageText, ...]
    archival: bool
    limits: Limits
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Write:
    """Write the PDF into the memory. Reply: `Written`. The document is an order and the document itself."""


@dataclass(frozen=True, slots=True)
class Written:
    """size: bytes of the PDF in the memory. was_signed: it had a signature, which is gone."""

    size: int
    was_signed: bool


def pack(order: Order, pages: Iterable[PageText], document: bytes) -> bytes:
    """Return an order for these pages and its document as one value; the order itself has no pages.

    The text of a long document is too much for a request. The pages are packed one by one, because each call
    holds the interpreter lock.
    """
    packed = [pickle.dumps(page, protocol=pickle.HIGHEST_PROTOCOL) for page in pages]
    head = pickle.dumps((order, [len(page) for page in packed]), protocol=pickle.HIGHEST_PROTOCOL)
    return joined([_LENGTH.pack(len(head)), head, *packed, document])


def unpack(packed: bytes) -> tuple[Order, bytes]:
    """Return an order and its document. The service packs them, so the order is trusted."""
    end = _LENGTH.size + _LENGTH.unpack_from(packed)[0]
    order, sizes = pickle.loads(packed[_LENGTH.size : end])
    ends = list(accumulate(sizes, initial=end))
    pages = tuple(pickle.loads(packed[start:end]) for start, end in pairwise(ends))
    return replace(order, pages=pages), packed[ends[-1] :]
