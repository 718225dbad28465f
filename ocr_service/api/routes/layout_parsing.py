"""`POST /layout-parsing` and `POST /restructure-pages`: the serving API of PaddleX, for its clients."""

import asyncio
from typing import Any

from fastapi import Request, Response
from starlette.types import Scope

from ocr_service.api import openapi, reading
from ocr_service.api.answers.layout_parsing import (
    LayoutParsingAnswer,
    LayoutParsingError,
    RestructurePagesAnswer,
    document_kind,
    layout_parsing_json,
)
from ocr_service.api.answers.pieces import in_pieces
from ocr_service.api.answers.problems import Problem
from ocr_service.api.openapi_requests import json_request
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.body import read_json
from ocr_service.api.requests.json_outline import DEFAULT, JsonLimits
from ocr_service.api.requests.layout_fields import (
    LayoutParsingRequest,
    RestructurePagesRequest,
    validated,
    with_paddlex_names,
)
from ocr_service.api.requests.long_strings import LongStrings
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.restructuring import answer_parts, fields_and_pages, options_of, restored
from ocr_service.core.errors import RecognitionFailed, RequestError
from ocr_service.runtime.memory import SMALL_COLLECTIONS, joined, release
from ocr_service.telemetry.request_context import request_id

router = openapi.router(openapi.PADDLEX)

_PATH = "/layout-parsing"
_RESTRUCTURE_PATH = "/restructure-pages"
_JSON = "application/json"
_PDF = 0
# A white page, small enough for Swagger UI.
_EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAgAQAAAACK5kMpAAAAEklEQVR42mP8zwABTAyjDCwMAEMQAT/KtkvBAAAAAElFTkSuQmCC"
)
# Maximum size of the pages without their images; a block has about 40 values.
_MAX_PAGES_BYTES = 16 * 2**20
_MAX_PAGES_VALUES = 500_000


@router.post(
    _PATH,
    summary="Read a document",
    response_model=LayoutParsingAnswer,
    responses=openapi.responses_with(LayoutParsingError),
    openapi_extra=json_request(LayoutParsingRequest, {"file": _EXAMPLE, "visualize": False}),
)
async def parse_layout(request: Request) -> Response:
    """Send a document as `file`: in base64, or as its address.

    If the service has a storage, the result is stored as for `/ocr`; headers of the answer name its folder.
    """
    async with reading.admit(request) as admitted:
        async with admitted.visit.in_time():
            sent, received = await _receive(admitted)
            result = await reading.read(received)
        stored = await reading.store(received, result)
        data, images = received.wanted.data, sent.return_markdown_images
        parts = layout_parsing_json(_log_id(request.scope), result, data, images)
        made = await in_pieces(received.run_for(result), parts)
        body = await asyncio.to_thread(joined, made)
        return Response(body, 200, reading.storage_headers(stored), _JSON)


@router.post(
    _RESTRUCTURE_PATH,
    summary="Restructure the pages of a document",
    response_model=RestructurePagesAnswer,
    responses=openapi.responses_with(LayoutParsingError),
    openapi_extra=json_request(RestructurePagesRequest, {"pages": []}),
)
async def restructure_pages(request: Request) -> Response:
    """Send the pages of one document, from the answer of `/layout-parsing`.

    Tables that span pages are merged, and titles get levels across the document.
    """
    async with reading.admit(request) as admitted, admitted.visit.in_time():
        used: list[Any] = []
        with SMALL_COLLECTIONS:
            try:
                body = await _restructured(admitted, used)
            finally:
                await admitted.in_turn(release, used)
        return Response(body, 200, media_type=_JSON)


def error_body(scope: Scope, problem: Problem) -> tuple[int, str]:
    """Return an error in the format of PaddleX, with its names of the options."""
    message = with_paddlex_names(problem.detail)
    error = LayoutParsingError(log_id=_log_id(scope), error_code=problem.status, error_msg=message)
    return problem.status, error.model_dump_json()


ERROR_BODIES = dict.fromkeys((_PATH, _RESTRUCTURE_PATH), error_body)


async def _receive(admitted: Admitted) -> tuple[LayoutParsingRequest, Received]:
    value, strings = await _read_json(admitted)
    sent = validated(LayoutParsingRequest, value)
    max_bytes = admitted.service.uploads.max_bytes
    document = await admitted.body.compute(strings.size, strings.document, sent.file, max_bytes)
    # Free a body of many megabytes, which is not needed while the document is read.
    del strings
    received = await reading.receive(admitted, document, OcrFields(password=sent.password), sent.recognition)
    _check_type(sent, received.wanted.data)
    return sent, received


async def _restructured(admitted: Admitted, used: list[Any]) -> bytes:
    """Return the answer. used: gets the values, which take long to release."""
    run, pipeline = admitted.in_turn, admitted.service.pipeline
    value, strings = await _read_json(admitted, JsonLimits(_MAX_PAGES_BYTES, _MAX_PAGES_VALUES))
    used.append(value)
    fields, pages = await run(fields_and_pages, value)
    pipeline.check_count(len(pages))
    admitted.visit.start_clock()
    sent = await run(restored, pages, strings, bool(fields.output_formats))
    used += [*sent, *(page.page.raw for page in sent)]
    restructuring = pipeline.restructure([page.page for page in sent], options_of(fields))
    try:
        restructured = list(await admitted.unless_disconnected(restructuring))
    except RecognitionFailed:
        raise RequestError("The pages are not those of an answer of /layout-parsing.") from None
    used += [*restructured, *(page.raw for page in restructured)]
    parts = answer_parts(_log_id(admitted.request.scope), fields, sent, restructured)
    body: bytes = await run(joined, await in_pieces(run, parts))
    return body


def _check_type(sent: LayoutParsingRequest, data: bytes) -> None:
    kind = document_kind(data)
    if sent.file_type is not None and (sent.file_type == _PDF) != (kind == "pdf"):
        raise RequestError(f"fileType is {sent.file_type}, but the file is {kind}.")


async def _read_json(admitted: Admitted, limits: JsonLimits = DEFAULT) -> tuple[Any, LongStrings]:
    value, strings = await read_json(admitted.body, limits)
    if isinstance(value, dict) and isinstance(value.get("logId"), str):
        admitted.request.state.log_id = value["logId"]
    return value, strings


def _log_id(scope: Scope) -> str:
    """Return the `logId` of the request; if it has none, its id."""
    return scope.get("state", {}).get("log_id") or request_id.get()
