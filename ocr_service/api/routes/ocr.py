"""`POST /ocr`: a document in, its text out."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ocr_service.admission.admission import Visit
from ocr_service.api import openapi
from ocr_service.api.answers.document import DocumentAnswer, with_storage
from ocr_service.api.answers.etags import etag, is_known
from ocr_service.api.disconnect import unless_caller_leaves
from ocr_service.api.keeping import headers_of, keep
from ocr_service.api.reading import Asked, result_json_of, source_of
from ocr_service.api.requests.body import each_once, read_body
from ocr_service.api.requests.ocr_fields import read_fields
from ocr_service.api.routes.stream import open_stream, wants_stream
from ocr_service.api.service import service_of
from ocr_service.api.visiting import note_document, note_result, visiting
from ocr_service.core.documents import DocumentResult, whole_markdown, whole_text
from ocr_service.pipeline.cache import is_whole

router = APIRouter()


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
    async with AsyncExitStack() as stack:
        visit = await stack.enter_async_context(visiting(request))
        async with visit.in_time():
            asked = await _asked(request, visit)
            if wants_stream(request, asked.fields):
                return await open_stream(asked, visit, stack)
            tag = etag(asked.job.key, asked.fields)
            if tag and is_known(tag, request.headers.getlist("if-none-match")):
                return Response(status_code=304, headers={"ETag": tag})
            result = await unless_caller_leaves(request, asked.service.pipeline.process(asked.job))
        note_result(result)
        return await _answer(asked, result, {"ETag": tag} if tag and is_whole(result) else {})


async def _asked(request: Request, visit: Visit) -> Asked:
    service = service_of(request)
    sent = await read_body(request, service.body_limits, visit.hold)
    fields = read_fields(each_once(request.query_params.multi_items()), sent.fields)
    source = await unless_caller_leaves(request, source_of(sent, service, visit.hold))
    visit.start_clock(fields.timeout)
    note_document(source.data)
    job = await service.pipeline.job(
        source.data, fields.selection, fields.recognition, cached=fields.cache, shared=fields.store
    )
    return Asked(service, source, fields, job)


async def _answer(asked: Asked, result: DocumentResult, tags: dict[str, str]) -> Response:
    result_json = result_json_of(asked, result)
    kept = await keep(asked, result, result_json)
    if asked.fields.format == "markdown":
        return Response(whole_markdown(result), 200, tags | headers_of(kept), "text/markdown; charset=utf-8")
    if asked.fields.format == "text":
        return PlainTextResponse(whole_text(result), 200, tags | headers_of(kept))
    # In a thread: the answer of a long document takes its time, and probes must not wait for it.
    body = await asyncio.to_thread(lambda: with_storage(result_json(), kept))
    return Response(body, 200, tags, "application/json")
