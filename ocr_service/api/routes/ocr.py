"""`POST /ocr`: a document in, its text out."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import APIRouter, Request, Response

from ocr_service.api import openapi, reading
from ocr_service.api.answers.document import DocumentAnswer, with_storage
from ocr_service.api.answers.etags import etag, is_known
from ocr_service.api.answers.rendered import rendered
from ocr_service.api.openapi_requests import OCR_REQUEST
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.accept import Form, answer_form
from ocr_service.api.requests.body import read_body, unique_fields
from ocr_service.api.requests.ocr_fields import check_names, read_fields
from ocr_service.api.routes.jobs import submit_job
from ocr_service.api.routes.stream import open_stream
from ocr_service.api.submitting import RESPOND_ASYNC, prefers_async
from ocr_service.core.documents import DocumentResult
from ocr_service.pipeline.cache import is_complete

router = APIRouter(tags=[openapi.DOCUMENTS])

_VARY = {"Vary": "Accept"}


@router.post(
    "/ocr",
    summary="Read a document",
    response_model=DocumentAnswer,
    responses=openapi.OCR_RESPONSES,
    openapi_extra=OCR_REQUEST,
)
async def read_document(request: Request) -> Response:
    """Send one document as multipart `file`, as the whole body, or its address as `image_url`.

    The type is detected from the bytes: PDF, PNG, JPEG, TIFF (all pages), WebP, BMP, GIF (first frame), HEIC,
    AVIF, JPEG 2000.

    The field `format` chooses the answer. Without it, the `Accept` header does: `application/json` (default),
    `text/markdown`, `text/plain`, or `application/x-ndjson` for a stream that has a line for each page.

    With the header `Prefer: respond-async`, the answer is a job, as that of `POST /jobs`.

    All fields except `file` and `image_url` can also be sent in the query; the body has precedence.
    """
    if prefers_async(request):
        answer = await submit_job(request)
        answer.headers["Preference-Applied"] = RESPOND_ASYNC
        return answer
    async with AsyncExitStack() as stack:
        admitted = await stack.enter_async_context(reading.admit(request))
        async with admitted.visit.in_time():
            received = await receive(admitted)
            form = answer_form(received.fields.format, request.headers.getlist("accept"))
            if form == "stream":
                return await open_stream(received, _VARY, stack)
            tag = etag(received.wanted.key, form, received.fields.images)
            if tag and is_known(tag, request.headers.getlist("if-none-match")):
                return Response(status_code=304, headers=_VARY | {"ETag": tag})
            result = await reading.read(received)
        headers = _VARY | {"ETag": tag} if tag and is_complete(result) else _VARY
        return await _answer(received, result, form, headers)


async def receive(admitted: Admitted) -> Received:
    """Read the body and the fields of a request, and fetch the document if it is an address."""
    body = await read_body(admitted.body, check_names)
    fields = read_fields(unique_fields(admitted.request.query_params.multi_items()), body.fields)
    return await reading.receive(admitted, body.document, fields, fields.recognition, body.name)


async def _answer(
    received: Received, result: DocumentResult, form: Form, headers: dict[str, str]
) -> Response:
    result_json = received.json_of(result)
    # In threads, because a long document takes a while to write and must not delay the probes.
    if form == "json":
        stored = await reading.store(received, result, result_json)
        body = await asyncio.to_thread(lambda: with_storage(result_json(), stored))
        return Response(body, 200, headers, "application/json")
    engine = received.service.pipeline.engine.name
    file = await asyncio.to_thread(rendered, result, form, engine, received.file_name)
    stored = await reading.store(received, result, result_json, file)
    headers = headers | reading.storage_headers(stored) | reading.quality_headers(result)
    return Response(file.body, 200, headers, file.content_type)
