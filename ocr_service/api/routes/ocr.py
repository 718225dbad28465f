"""`POST /ocr`: a document in, its text out."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ocr_service.api import openapi, reading
from ocr_service.api.answers.document import DocumentAnswer, with_storage
from ocr_service.api.answers.etags import etag, is_known
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.body import each_once, read_body
from ocr_service.api.requests.ocr_fields import read_fields
from ocr_service.api.routes.stream import open_stream, wants_stream
from ocr_service.core.documents import DocumentResult, whole_markdown, whole_text
from ocr_service.pipeline.cache import is_complete

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
        admitted = await stack.enter_async_context(reading.admit(request))
        async with admitted.visit.in_time():
            received = await _receive(admitted)
            if wants_stream(request, received.fields):
                return await open_stream(received, stack)
            tag = etag(received.job.key, received.fields)
            if tag and is_known(tag, request.headers.getlist("if-none-match")):
                return Response(status_code=304, headers={"ETag": tag})
            result = await reading.read(received)
        return await _answer(received, result, {"ETag": tag} if tag and is_complete(result) else {})


async def _receive(admitted: Admitted) -> Received:
    body = await read_body(admitted.body)
    fields = read_fields(each_once(admitted.request.query_params.multi_items()), body.fields)
    return await reading.receive(admitted, body.document, fields, fields.recognition, body.name)


async def _answer(received: Received, result: DocumentResult, tags: dict[str, str]) -> Response:
    result_json = received.json_of(result)
    stored = await reading.store(received, result, result_json)
    headers = tags | reading.storage_headers(stored)
    if received.fields.format == "markdown":
        return Response(whole_markdown(result), 200, headers, "text/markdown; charset=utf-8")
    if received.fields.format == "text":
        return PlainTextResponse(whole_text(result), 200, headers)
    # In a thread, because a long document takes a while to serialize and must not delay the probes.
    body = await asyncio.to_thread(lambda: with_storage(result_json(), stored))
    return Response(body, 200, tags, "application/json")
