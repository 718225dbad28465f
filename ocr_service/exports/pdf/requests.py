"""The request of the service to the process that writes PDFs, and its reply."""

import pickle
import struct
from dataclasses import dataclass, field

from ocr_service.decoding.limits import Limits
from ocr_service.exports.pdf.page_text import PageText

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


def pack(order: Order, document: bytes) -> bytes:
    """Return both as one value: the text of a long document is too much for a request."""
    head = pickle.dumps(order, protocol=pickle.HIGHEST_PROTOCOL)
    return b"".join((_LENGTH.pack(len(head)), head, document))


def unpack(packed: bytes) -> tuple[Order, bytes]:
    """Return an order and its document. The service packs them, so the order is trusted."""
    end = _LENGTH.size + _LENGTH.unpack_from(packed)[0]
    order: Order = pickle.loads(packed[_LENGTH.size : end])
    return order, packed[end:]
