"""Searchable PDFs as the service sees them: worker processes write them, into shared memory."""

import asyncio
from dataclasses import dataclass, field

from ocr_service.core.documents import DocumentResult
from ocr_service.core.errors import BrokenDocument
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.signatures import identify
from ocr_service.exports.pdf.page_text import text_of
from ocr_service.exports.pdf.requests import Order, Write, Written, pack
from ocr_service.runtime.cores import usable_cores
from ocr_service.runtime.memory import joined
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.frames import InvalidReply
from ocr_service.runtime.processes.jobs import Job, Subject
from ocr_service.runtime.processes.pool import NoSlot, Pool
from ocr_service.runtime.processes.worker_process import WorkerEnded

# CPU time: opening and saving a long document takes seconds, a large picture without loss as well.
_SECONDS, _SECONDS_A_PAGE = 30.0, 5.0
# The memory is a bound, and takes no room before it is written to. A picture that was compressed well grows.
_MIB = 2**20
_BASE_BYTES, _GROWTH = 64 * _MIB, 4

WRITERS = Pool(
    ForkServer("ocr_service.exports.pdf.worker"),
    quick=max(1, usable_cores() // 2),
    slow=1,
    classes_from=("ocr_service.core.", "ocr_service.exports.pdf.requests"),
)
"""The processes that write PDFs. They start with the first PDF."""


@dataclass(frozen=True, slots=True)
class Original:
    """A document as it was sent. limits: for its pictures."""

    data: bytes
    limits: Limits
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SearchablePdf:
    """was_signed: the document had a digital signature, which is gone."""

    data: bytes
    was_signed: bool


async def searchable_pdf(original: Original, result: DocumentResult, *, archival: bool) -> SearchablePdf:
    """Return the pages of a result as a PDF with their text; raises DocumentError.

    archival: as PDF/A-2b, or NotArchivable is raised.
    """
    subject = Subject(await asyncio.to_thread(_packed, original, result, archival))
    seconds = _SECONDS + _SECONDS_A_PAGE * len(result.pages)
    memory = _BASE_BYTES + _GROWTH * len(subject.data)
    try:
        outcome = await WRITERS.run(Job(subject, Write(), seconds, memory), NoSlot())
    except (WorkerEnded, InvalidReply) as error:
        raise BrokenDocument(
            "The PDF cannot be written within the limits of time and memory, or it crashes the writer."
        ) from error
    finally:
        WRITERS.forget(subject)
    written: Written = outcome.reply
    assert outcome.memory is not None
    data = await asyncio.to_thread(joined, [outcome.memory[: written.size]])
    return SearchablePdf(data, written.was_signed)


def _packed(original: Original, result: DocumentResult, archival: bool) -> bytes:
    order = Order(identify(original.data), (), archival, original.limits, original.password)
    return pack(order, map(text_of, result.pages), original.data)
