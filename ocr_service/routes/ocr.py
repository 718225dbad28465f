"""`POST /ocr`: a document in, its text out."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import cache, partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from ocr_service.cache import is_whole
from ocr_service.documents import DocumentResult, Engine, PageResult, Timings
from ocr_service.errors import OcrError, RequestError
from ocr_service.parcels import Kept
from ocr_service.pipeline import Reading
from ocr_service.rendering import (
    DocumentAnswer,
    EndEvent,
    EngineAnswer,
    ErrorEvent,
    PageAnswer,
    PageEvent,
    Problem,
    StartEvent,
    StorageAnswer,
    StreamEvent,
    TimingsAnswer,
    to_line,
    whole_markdown,
    whole_text,
)
from ocr_service.request_context import request_id
from ocr_service.routes import openapi
from ocr_service.routes.body import each_once, read_body
from ocr_service.routes.conditional import etag, is_known
from ocr_service.routes.disconnect import unless_caller_leaves
from ocr_service.routes.fields import OcrFields, read_fields
from ocr_service.routes.keeping import is_kept, keep
from ocr_service.routes.service import Service, service_of
from ocr_service.routes.source import Source, source_of

router = APIRouter()

NDJSON = "application/x-ndjson"

# A weight of zero in an Accept header says "not this" (RFC 9110, 12.4.2).
_REFUSED = re.compile(r"q=0(\.0*)?")


@router.post(
    "/ocr",
    summary="Read a document",
    response_model=DocumentAnswer,
    responses=openapi.OCR_RESPONSES,
    openapi_extra=openapi.OCR_REQUEST,
)
async def read_document(request: Request) -> Response:
    """Send one document as multipart `file`, or its address as `image_url`; the answer holds its text.

    PDF, PNG, JPEG, TIFF (all pages), WebP, BMP, GIF (first frame) and HEIC are told apart by their bytes.
    With `Accept: application/x-ndjson` and no other `format`, each page is sent as soon as it is done.
    """
    service = service_of(request)
    pipeline = service.pipeline
    sent = await read_body(request, service.max_upload_bytes)
    fields = read_fields(each_once(request.query_params.multi_items()), sent.fields)
    source = await unless_caller_leaves(request, source_of(sent, service))
    key = await pipeline.key(source.data, fields.selection, fields.recognition) if fields.cache else None
    if _wants_stream(request, fields):
        return await _stream(service, source, fields, key)
    tag = etag(key, fields)
    if tag and is_known(tag, request.headers.getlist("if-none-match")):
        return Response(status_code=304, headers={"ETag": tag})
    result = await unless_caller_leaves(
        request, pipeline.process(source.data, fields.selection, fields.recognition, key, fields.store)
    )
    answer = _answer(result, pipeline.engine, fields)
    kept = await keep(service, source, fields, result, answer)
    tags = {"ETag": tag} if tag and is_whole(result) else {}
    if fields.format == "markdown":
        return Response(whole_markdown(result), 200, tags | _headers(kept), "text/markdown; charset=utf-8")
    if fields.format == "text":
        return PlainTextResponse(whole_text(result), 200, tags | _headers(kept))
    # In a thread: the answer of a long document takes its time, and probes must not wait for it.
    body = await asyncio.to_thread(lambda: answer().kept(kept).model_dump_json())
    return Response(body, 200, tags, "application/json")


def _answer(result: DocumentResult, engine: Engine, fields: OcrFields) -> Callable[[], DocumentAnswer]:
    """Make the JSON answer when it is first asked for, and once."""
    return cache(partial(DocumentAnswer.of, result, engine, request_id.get(), fields.images))


def _headers(kept: Kept) -> dict[str, str]:
    """Tell in headers what a JSON answer has in its `storage`."""
    headers = {openapi.STORAGE_STATUS: kept.status.value}
    return headers if kept.folder is None else {**headers, openapi.STORAGE_FOLDER: kept.folder}


def _wants_stream(request: Request, fields: OcrFields) -> bool:
    return fields.format == "json" and any(map(_is_ndjson, request.headers.get("accept", "").split(",")))


def _is_ndjson(media_range: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    refused = any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return media_type == NDJSON and not refused


async def _stream(service: Service, source: Source, fields: OcrFields, key: str | None) -> Response:
    """Open the document before the answer starts, so that what is wrong with it has its own status."""
    if fields.recognition.restructure_pages:
        raise RequestError("restructure_pages looks at all pages together: ask for JSON, not for a stream.")
    async with AsyncExitStack() as stack:
        stream = _Stream(service, source, fields)
        reading = await stack.enter_async_context(
            service.pipeline.reading(source.data, fields.selection, fields.recognition, key, fields.store)
        )
        lines = stream.lines(reading)
        await stack.enter_async_context(aclosing(lines))
        return _OwningStream(lines, stack.pop_all())


class _OwningStream(StreamingResponse):
    """A stream that closes what it reads from, also when its caller leaves before the first line."""

    def __init__(self, lines: AsyncGenerator[str], stack: AsyncExitStack) -> None:
        super().__init__(lines, media_type=NDJSON)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


class _Stream:
    """One document's events; its pages are kept only where they are stored in the end."""

    def __init__(self, service: Service, source: Source, fields: OcrFields) -> None:
        self._service = service
        self._engine = service.pipeline.engine
        self._source = source
        self._fields = fields
        self._began = time.perf_counter()

    async def lines(self, reading: Reading) -> AsyncGenerator[str]:
        """Yield the events as lines of NDJSON."""
        async with aclosing(self._events(reading)) as events:
            async for event in events:
                yield await asyncio.to_thread(to_line, event)

    async def _events(self, reading: Reading) -> AsyncGenerator[StreamEvent]:
        engine = EngineAnswer.of(self._engine)
        yield StartEvent(
            request_id=request_id.get(),
            engine=engine,
            page_count=len(reading.pages),
            cached=reading.cached,
        )
        timings = Timings(decode=reading.decode)
        failed: list[int] = []
        finished: list[PageResult] = []
        try:
            async with aclosing(reading.results()) as pages:
                async for page in pages:
                    timings += page.timings
                    # In a thread, as below: pictures become base64.
                    answer = await asyncio.to_thread(PageAnswer.of, page, self._fields.images)
                    if answer.error:
                        failed.append(page.index)
                    if is_kept(self._service, self._fields):
                        finished.append(page)
                    yield PageEvent(page=answer)
        except OcrError as error:
            yield ErrorEvent(problem=Problem.of(error, request_id.get()))
        else:
            total = time.perf_counter() - self._began
            kept = await self._kept(finished, timings, total)
            yield EndEvent(
                failed_pages=sorted(failed),
                timings=TimingsAnswer.of(timings, total),
                storage=StorageAnswer.of(kept),
            )

    async def _kept(self, pages: list[PageResult], timings: Timings, total: float) -> Kept:
        pages.sort(key=lambda page: page.index)
        result = DocumentResult(tuple(pages), timings, total)
        answer = _answer(result, self._engine, self._fields)
        return await keep(self._service, self._source, self._fields, result, answer)
