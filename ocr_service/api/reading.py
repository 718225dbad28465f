"""One request for a document, step by step: admit it, receive the document, read it, store the result."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from ocr_service.admission.admission import Visit
from ocr_service.api.answers.document import PageAnswer, page_error
from ocr_service.api.answers.pieces import Run as RunInThread
from ocr_service.api.answers.pieces import in_pieces
from ocr_service.api.answers.result_json import ResultWriter, result_json
from ocr_service.api.middleware.api_keys import caller_of
from ocr_service.api.openapi import CONFIDENCE, ERRORS, STORAGE_FOLDER, STORAGE_STATUS, WARNINGS
from ocr_service.api.requests.body_stream import BodyStream, Run, discard_body
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.service import Service, service_of
from ocr_service.core.documents import DocumentResult, PageQuality, Timings
from ocr_service.core.options import Options
from ocr_service.core.quality import mean_confidence
from ocr_service.core.turns import Caller
from ocr_service.exports.pdf.writing import Original
from ocr_service.pipeline.reading import ReadRequest
from ocr_service.runtime.memory import joined
from ocr_service.sources.source import file_name
from ocr_service.storage.bundles import DISABLED, Bundle, FileToStore, StorageOutcome
from ocr_service.storage.packing import folder_of, metadata_of, pack, source_file
from ocr_service.telemetry import tracing
from ocr_service.telemetry.request_context import record, request_id, unique_id

T = TypeVar("T")

# Answers with more pages take turns.
_FEW_PAGES = 8


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that the service has admitted. visit: its place, deadline and bytes in memory."""

    request: Request
    service: Service
    visit: Visit

    @property
    def body(self) -> BodyStream:
        """The body, to be read once; its bytes count for the visit."""
        service = self.service
        return BodyStream(
            self.request,
            service.uploads,
            self.visit.memory,
            service.upload_disk,
            service.intake,
            self.caller,
            self.in_turn,
        )

    @property
    def caller(self) -> Caller:
        """The sender of the request."""
        return caller_of(self.request.scope)

    @property
    def in_turn(self) -> Run:
        """Runs a step with a large body in the thread for these, when it is the turn of the caller."""
        return partial(self.service.large_bodies.run_for, self.caller)

    async def unless_disconnected(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`; if the client disconnects first, cancel it and raise ClientDisconnect.

        The body must have been read.
        """
        working = asyncio.create_task(work)
        leaving = asyncio.create_task(_disconnected(self.request))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientDisconnect
            return working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Received:
    """A request whose document has arrived.

    fields: as sent. wanted: the document and how to read it. file_name: of the document, or "".
    """

    admitted: Admitted
    fields: OcrFields
    wanted: ReadRequest
    file_name: str

    @property
    def service(self) -> Service:
        """The service that admitted the request."""
        return self.admitted.service

    @property
    def original(self) -> Original:
        """The document, for a PDF of its pages."""
        return Original(self.wanted.data, self.service.pipeline.limits, self.wanted.password)

    @property
    def is_stored(self) -> bool:
        """Whether the result is to be stored."""
        return self.fields.store and self.service.result_store.storage is not None

    def run_for(self, result: DocumentResult) -> RunInThread:
        """Return a function that runs steps of an answer in a thread; long answers take turns in one."""
        if len(result.pages) <= _FEW_PAGES:
            return asyncio.to_thread
        return partial(self.service.long_answers.run_for, self.admitted.caller)

    async def json_of(self, result: DocumentResult) -> Sequence[bytes]:
        """Return the JSON of the result, without `storage`, in parts."""
        answer_of = partial(PageAnswer.of, images=self.fields.images, words=self.fields.words)
        writer = ResultWriter(self.service.pipeline.engine, request_id.get(), answer_of)
        return await in_pieces(self.run_for(result), result_json(result, writer))


@asynccontextmanager
async def admit(request: Request, waits: bool = True) -> AsyncIterator[Admitted]:
    """Admit a request until it is answered; raises Overloaded or Draining. waits: see `Admission.visit`."""
    service = service_of(request)
    record.get().engine = service.pipeline.engine.name
    if service.admission.draining:
        await discard_body(request, service.uploads)
    with service.admission.visit(waits, caller_of(request.scope)) as visit:
        yield Admitted(request, service, visit)


async def receive(
    admitted: Admitted, document: bytes | str, fields: OcrFields, options: Options, name: str = ""
) -> Received:
    """Fetch the document if it is an address, then start the deadline. name: of the file, or ""."""
    service, visit = admitted.service, admitted.visit
    data, name = await fetch(admitted, document, name)
    visit.start_clock(fields.timeout)
    wanted = await service.pipeline.request(
        data,
        fields.selection,
        options,
        cached=fields.cache,
        shared=fields.store,
        caller=admitted.caller,
        password=fields.pdf_password,
    )
    visit.progress = wanted.progress
    return Received(admitted, fields, wanted, name)


async def fetch(admitted: Admitted, document: bytes | str, name: str) -> tuple[bytes, str]:
    """Return the document and the name of its file; download it if it is an address."""
    if isinstance(document, str):
        address = document
        document = await admitted.unless_disconnected(_fetched(address, admitted))
        name = file_name(address)
    record.get().document_bytes = len(document)
    return document, name


async def read(received: Received) -> DocumentResult:
    """Read the document, or take its result from the cache; stop if the client disconnects."""
    result = await received.admitted.unless_disconnected(
        received.service.pipeline.reader.read(received.wanted)
    )
    record_pages(result.quality, result.timings, result.cached)
    return result


async def store(
    received: Received,
    result: DocumentResult,
    result_json: Sequence[bytes] | None = None,
    rendered: FileToStore | None = None,
) -> StorageOutcome:
    """Store the result if the request wants it; the settings limit the wait.

    result_json: its JSON in parts, if it is made already. rendered: the result in the form that the request
    wants.
    """
    stored = DISABLED
    if received.is_stored:
        parts = result_json or await received.json_of(result)
        bundle = await received.run_for(result)(_packed, received, result, parts, rendered)
        stored = await received.service.result_store.store(bundle)
    record.get().storage = stored.status.value
    return stored


def storage_headers(stored: StorageOutcome) -> dict[str, str]:
    """Return the headers that replace `storage` in an answer that is not JSON."""
    headers = {STORAGE_STATUS: stored.status.value}
    return headers if stored.folder is None else {**headers, STORAGE_FOLDER: stored.folder}


def quality_headers(result: DocumentResult, more: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers that replace `confidence`, `warnings` and `error` in an answer that is not JSON.

    They name codes, not pages: the length of a header is limited. more: further codes of warnings.
    """
    confidence = mean_confidence(result.quality)
    warnings = {warning.code: None for page in result.quality for warning in page.warnings}
    failed = [result.pages[position] for position, page in enumerate(result.quality) if page.failed]
    errors = {error.code: None for page in failed if (error := page_error(page))}
    headers = {
        CONFIDENCE: "" if confidence is None else str(confidence),
        WARNINGS: ", ".join((*warnings, *more)),
        ERRORS: ", ".join(errors),
    }
    return {name: value for name, value in headers.items() if value}


def record_pages(pages: Sequence[PageQuality], timings: Timings, cached: bool) -> None:
    """Record how many pages there are, failed and are doubtful, for the log and the trace."""
    known = record.get()
    known.pages, known.cached = len(pages), cached
    known.failed_pages = sum(page.failed for page in pages)
    known.doubtful_pages = sum(page.is_doubtful for page in pages)
    known.timings = asdict(timings)


def _packed(
    received: Received, result: DocumentResult, result_json: Sequence[bytes], rendered: FileToStore | None
) -> Bundle:
    wanted, storage = received.wanted, received.service.result_store.storage
    assert storage is not None
    return pack(
        folder_of(storage.prefix, unique_id.get()),
        joined(result_json),
        result.pages,
        [rendered] if rendered else [],
        source_file(wanted.data, received.file_name) if received.fields.store_source else None,
        metadata_of(wanted.sha256, received.service.pipeline.engine, request_id.get()),
    )


async def _fetched(address: str, admitted: Admitted) -> bytes:
    """Return the document; its bytes count for the visit."""
    with tracing.span("fetch"), admitted.body.buffer() as data:
        async with aclosing(admitted.service.sources.chunks(address)) as chunks:
            async for chunk in chunks:
                await data.add(chunk)
        return await data.read()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
