"""`POST /ocr`: a document in, its text out."""

import asyncio
from contextlib import AsyncExitStack

from fastapi import Request, Response

from ocr_service.api import openapi, reading
from ocr_service.api.answers.document import DocumentAnswer
from ocr_service.api.answers.etags import etag, is_known
from ocr_service.api.answers.rendered import Rendered, rendered
from ocr_service.api.answers.result_json import with_storage
from ocr_service.api.openapi_requests import OCR_REQUEST
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.accept import Form, answer_form
from ocr_service.api.requests.body import read_body, unique_fields
from ocr_service.api.requests.ocr_fields import check_names, read_fields
from ocr_service.api.routes.jobs import BATCH, CALLBACK_URL, submit_job
from ocr_service.api.routes.stream import open_stream
from ocr_service.api.submitting import RESPOND_ASYNC, prefers_async
from ocr_service.core.documents import DocumentResult
from ocr_service.pipeline.cache import is_complete
from ocr_service.runtime.memory import joined

router = openapi.router(openapi.DOCUMENTS)

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

    With the header `Prefer: respond-async`, the answer is a job, as that of `POST /jobs`, and the query can
    have `callback_url` and `batch`.

    All fields except `file` and `image_url` can also be sent in the query; the body has precedence.
    """
    if prefers_async(request):
        query = request.query_params
        answer = await submit_job(request, query.get(CALLBACK_URL), query.get(BATCH))
        answer.headers["Preference-Applied"] = RESPOND_ASYNC
        return answer
    async with AsyncExitStack() as stack:
        admitted = await stack.enter_async_context(reading.admit(request))
        async with admitted.visit.in_time():
            received, form = await receive(admitted)
            if form == "stream":
                return await open_stream(received, _VARY, stack)
            tag = etag(received.wanted.key, form, received.fields.images)
            if tag and is_known(tag, request.headers.getlist("if-none-match")):
                return Response(status_code=304, headers=_VARY | {"ETag": tag})
            result = await reading.read(received)
            made = None if form == "json" else await _rendered(received, result, form)
        headers = _VARY | {"ETag": tag} if tag and is_complete(result) else _VARY
        return await _answer(received, result, made, headers)


async def receive(admitted: Admitted) -> tuple[Received, Form]:
    """Read the body and the fields of a request, and fetch the document if it is an address.

    Return the form of the answer too.
    """
    body = await read_body(admitted.body, check_names)
    fields = read_fields(unique_fields(admitted.request.query_params.multi_items()), body.fields)
    form = answer_form(fields.format, admitted.request.headers.getlist("accept"))
    finds_words = admitted.service.pipeline.engine.finds_words
    options = fields.recognition(form, finds_words=finds_words)
    return await reading.receive(admitted, body.document, fields, options, body.name), form


async def _rendered(received: Received, result: DocumentResult, form: Form) -> Rendered:
    engine = received.service.pipeline.engine.name
    run = received.run_for(result)
    making = rendered(result, form, engine, received.file_name, received.original, run)
    return await received.admitted.unless_disconnected(making)


async def _answer(
    received: Received, result: DocumentResult, made: Rendered | None, headers: dict[str, str]
) -> Response:
    if made is None:
        result_json = await received.json_of(result)
        stored = await reading.store(received, result, result_json)
        body = await asyncio.to_thread(joined, with_storage(result_json, stored))
        return Response(body, 200, headers, "application/json")
    stored = await reading.store(received, result, rendered=made.file)
    headers = headers | reading.storage_headers(stored) | reading.quality_headers(result, made.warnings)
    return Response(made.file.body, 200, headers, made.file.content_type)
