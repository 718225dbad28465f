"""`POST /ocr`: a document in, its text out."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from ocr_service.documents import DocumentResult, Engine, Timings
from ocr_service.errors import OcrError, RequestError
from ocr_service.pipeline import Pipeline, Reading
from ocr_service.rendering import (
    DocumentAnswer,
    EndEvent,
    EngineAnswer,
    ErrorEvent,
    PageAnswer,
    PageEvent,
    Problem,
    StartEvent,
    StreamEvent,
    TimingsAnswer,
    to_line,
    whole_markdown,
    whole_text,
)
from ocr_service.request_context import request_id
from ocr_service.routes import openapi
from ocr_service.routes.body import Upload, each_once, read_upload
from ocr_service.routes.disconnect import unless_caller_leaves
from ocr_service.routes.fields import OcrFields, read_fields
from ocr_service.routes.service import service_of

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
    """Send one document as multipart `file`; the answer holds its text.

    PDF, PNG, JPEG, TIFF (all pages), WebP, BMP, GIF (first frame) and HEIC are told apart by their bytes.
    With `Accept: application/x-ndjson` and no other `format`, each page is sent as soon as it is done.
    """
    service = service_of(request)
    pipeline = service.pipeline
    upload = await read_upload(request, service.max_upload_bytes)
    fields = read_fields(each_once(request.query_params.multi_items()), upload.fields)
    if _wants_stream(request, fields):
        return await _stream(pipeline, upload, fields)
    result = await unless_caller_leaves(
        request, pipeline.process(upload.data, fields.selection, fields.recognition)
    )
    if fields.format == "markdown":
        return Response(whole_markdown(result), media_type="text/markdown; charset=utf-8")
    if fields.format == "text":
        return PlainTextResponse(whole_text(result))
    # In a thread: the answer of a long document takes its time, and probes must not wait for it.
    body = await asyncio.to_thread(_json, result, pipeline.engine, fields.images)
    return Response(body, media_type="application/json")


def _json(result: DocumentResult, engine: Engine, images: bool) -> str:
    return DocumentAnswer.of(result, engine, request_id.get(), images).model_dump_json()


def _wants_stream(request: Request, fields: OcrFields) -> bool:
    return fields.format == "json" and any(map(_is_ndjson, request.headers.get("accept", "").split(",")))


def _is_ndjson(media_range: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    refused = any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return media_type == NDJSON and not refused


async def _stream(pipeline: Pipeline, upload: Upload, fields: OcrFields) -> Response:
    """Open the document before the answer starts, so that what is wrong with it has its own status."""
    if fields.recognition.restructure_pages:
        raise RequestError("restructure_pages looks at all pages together: ask for JSON, not for a stream.")
    began = time.perf_counter()
    async with AsyncExitStack() as stack:
        reading = await stack.enter_async_context(
            pipeline.reading(upload.data, fields.selection, fields.recognition)
        )
        lines = _lines(reading, EngineAnswer.of(pipeline.engine), fields.images, began)
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


async def _lines(reading: Reading, engine: EngineAnswer, images: bool, began: float) -> AsyncGenerator[str]:
    async with aclosing(_events(reading, engine, images, began)) as events:
        async for event in events:
            yield await asyncio.to_thread(to_line, event)


async def _events(
    reading: Reading, engine: EngineAnswer, images: bool, began: float
) -> AsyncGenerator[StreamEvent]:
    yield StartEvent(request_id=request_id.get(), engine=engine, page_count=len(reading.pages))
    timings = Timings(decode=reading.decode)
    failed: list[int] = []
    try:
        async with aclosing(reading.results()) as pages:
            async for page in pages:
                timings += page.timings
                # In a thread, as below: pictures become base64.
                answer = await asyncio.to_thread(PageAnswer.of, page, images)
                if answer.error:
                    failed.append(page.index)
                yield PageEvent(page=answer)
    except OcrError as error:
        yield ErrorEvent(problem=Problem.of(error, request_id.get()))
    else:
        total = time.perf_counter() - began
        yield EndEvent(failed_pages=sorted(failed), timings=TimingsAnswer.of(timings, total))
