"""`POST /layout-parsing` and `POST /restructure-pages`: the serving API of PaddleX, for its clients."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.types import Scope

from ocr_service.api import openapi, reading
from ocr_service.api.answers.layout_parsing import (
    LayoutParsingAnswer,
    LayoutParsingError,
    LayoutParsingResult,
    RestructurePagesAnswer,
    RestructureResult,
    document_kind,
    in_base64,
    layout_parsing_json,
)
from ocr_service.api.answers.pieces import in_pieces
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.pruned_result import restored_page
from ocr_service.api.openapi_requests import json_request
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.body import read_json
from ocr_service.api.requests.json_outline import DEFAULT, JsonLimits
from ocr_service.api.requests.layout_fields import (
    LayoutParsingRequest,
    RestructurePagesRequest,
    SentPage,
    with_paddlex_names,
)
from ocr_service.api.requests.long_strings import LongStrings, decode_base64
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.core.documents import Block, PageResult
from ocr_service.core.errors import RecognitionFailed, RequestError
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.runtime.memory import collection_paused, joined
from ocr_service.telemetry.request_context import request_id

router = openapi.router(openapi.PADDLEX)

Sent = TypeVar("Sent", bound=BaseModel)

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
        run = admitted.in_turn
        limits = JsonLimits(_MAX_PAGES_BYTES, _MAX_PAGES_VALUES)
        sent, strings = await _read_fields(admitted, RestructurePagesRequest, limits)
        admitted.visit.start_clock()
        pages = await run(_sent_pages, sent, strings)
        restructuring = admitted.service.pipeline.restructure(pages, _restructure_options(sent))
        try:
            restructured = await admitted.unless_disconnected(restructuring)
        except RecognitionFailed:
            raise RequestError("The pages are not those of an answer of /layout-parsing.") from None
        body = await run(_restructured, _log_id(request.scope), sent, strings, restructured)
        return Response(body, 200, media_type=_JSON)


def error_body(scope: Scope, problem: Problem) -> tuple[int, str]:
    """Return an error in the format of PaddleX, with its names of the options."""
    message = with_paddlex_names(problem.detail)
    error = LayoutParsingError(log_id=_log_id(scope), error_code=problem.status, error_msg=message)
    return problem.status, error.model_dump_json()


ERROR_BODIES = dict.fromkeys((_PATH, _RESTRUCTURE_PATH), error_body)


async def _receive(admitted: Admitted) -> tuple[LayoutParsingRequest, Received]:
    sent, strings = await _read_fields(admitted, LayoutParsingRequest)
    max_bytes = admitted.service.uploads.max_bytes
    document = await admitted.body.compute(strings.size, strings.document, sent.file, max_bytes)
    # Free a body of many megabytes, which is not needed while the document is read.
    del strings
    received = await reading.receive(admitted, document, OcrFields(password=sent.password), sent.recognition)
    _check_type(sent, received.wanted.data)
    return sent, received


def _check_type(sent: LayoutParsingRequest, data: bytes) -> None:
    kind = document_kind(data)
    if sent.file_type is not None and (sent.file_type == _PDF) != (kind == "pdf"):
        raise RequestError(f"fileType is {sent.file_type}, but the file is {kind}.")


async def _read_fields(
    admitted: Admitted, model: type[Sent], limits: JsonLimits = DEFAULT
) -> tuple[Sent, LongStrings]:
    body = admitted.body
    value, strings = await read_json(body, limits)
    if isinstance(value, dict) and isinstance(value.get("logId"), str):
        admitted.request.state.log_id = value["logId"]
    try:
        return await body.compute(limits.size, model.model_validate, value), strings
    except ValidationError as error:
        raise RequestError(_validation_message(error)) from None


def _validation_message(error: ValidationError) -> str:
    """Return one message for each field: a field with several types has an error for each of them."""
    messages: dict[str, str] = {}
    for detail in error.errors():
        messages.setdefault(_field_path(detail["loc"]), detail["msg"])
    return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _field_path(parts: Sequence[int | str]) -> str:
    """Return the name of the field, or a position in a list, without the types that pydantic appends."""
    in_a_list = len(parts) > 1 and isinstance(parts[1], int)
    return ".".join(map(str, parts if in_a_list else parts[:1])) or "body"


def _log_id(scope: Scope) -> str:
    """Return the `logId` of the request; if it has none, its id."""
    return scope.get("state", {}).get("log_id") or request_id.get()


def _restructure_options(sent: RestructurePagesRequest) -> Options:
    """Return the options for the engine, without defaults."""
    return Options(
        concatenate_pages=sent.concatenate_pages,
        word_documents=bool(sent.output_formats),
        engine=PaddleOcrVlOptions(
            merge_tables=sent.merge_tables and None,
            relevel_titles=sent.relevel_titles and None,
            prettify_markdown=sent.prettify_markdown and None,
            show_formula_number=sent.show_formula_number or None,
        ),
    )


@collection_paused()
def _sent_pages(sent: RestructurePagesRequest, strings: LongStrings) -> list[PageResult]:
    """Return the pages; their images are decoded only if they go into a Word document."""
    pages = []
    for number, page in enumerate(sent.pages, start=1):
        pruned = strings.restore(page.pruned_result.as_sent())
        blocks = [
            Block(block["block_label"], tuple(block["block_bbox"]), block["block_content"], order)
            for order, block in enumerate(pruned["parsing_res_list"], start=1)
        ]
        images = _images(page, strings) if sent.output_formats else {}
        pages.append(restored_page(number, pruned, blocks, images))
    return pages


def _images(page: SentPage, strings: LongStrings) -> dict[str, bytes]:
    images = page.markdown_images or {}
    return {path: decode_base64(strings.content(text)) for path, text in images.items()}


@collection_paused()
def _restructured(
    log_id: str, sent: RestructurePagesRequest, strings: LongStrings, pages: Sequence[PageResult]
) -> str:
    """Return the answer, with the images exactly as they were sent."""
    sent_images = [
        {path: str(strings.content(text), "utf-8") for path, text in (page.markdown_images or {}).items()}
        for page in sent.pages
    ]
    if sent.concatenate_pages and pages:
        sent_images = [{path: image for images in sent_images for path, image in images.items()}]
    results = [
        LayoutParsingResult.of(
            page, images if sent.return_markdown_images else None, in_base64(page.drawings)
        )
        for page, images in zip(pages, sent_images, strict=True)
    ]
    answer = RestructurePagesAnswer(log_id=log_id, result=RestructureResult(layout_parsing_results=results))
    return answer.model_dump_json(exclude_none=True)
