"""`POST /layout-parsing` and `POST /restructure-pages`: PaddleX's serving API, as its clients speak it."""

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from starlette.types import Scope

from ocr_service.api import openapi, reading
from ocr_service.api.answers.layout_parsing import (
    LayoutParsingAnswer,
    LayoutParsingError,
    LayoutParsingResult,
    RestructurePagesAnswer,
    RestructureResult,
    document_kind,
    page_of,
)
from ocr_service.api.answers.problems import Problem
from ocr_service.api.reading import Admitted, Received
from ocr_service.api.requests.body import read_json
from ocr_service.api.requests.body_stream import ENVELOPE
from ocr_service.api.requests.layout_fields import GivenPage, LayoutParsingRequest, RestructurePagesRequest
from ocr_service.api.requests.long_strings import Cut, document_of, from_base64
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.core.documents import Block, PageResult
from ocr_service.core.errors import RecognitionFailed, RequestError
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.telemetry.request_context import request_id

router = APIRouter(tags=[openapi.PADDLEX])

Sent = TypeVar("Sent", bound=BaseModel)

_PATH = "/layout-parsing"
_RESTRUCTURE_PATH = "/restructure-pages"
_JSON = "application/json"
_PDF = 0
# A white sheet, small enough for the documentation page.
_EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAgAQAAAACK5kMpAAAAEklEQVR42mP8zwABTAyjDCwMAEMQAT/KtkvBAAAAAElFTkSuQmCC"
)
# What was said of the pages, without their pictures.
_MOST_SAID = 16 * 2**20
_DATA_URL = re.compile(rb"data:[^,]{0,200},")

# Options by the core's names, in sentences, and by the names that they have here.
_NAMES = {
    **{name: to_camel(name) for name in LayoutParsingRequest.model_fields},
    **{name: to_camel(name) for name in RestructurePagesRequest.model_fields},
    "word_documents": "outputFormats",
}
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})\b")


@router.post(
    _PATH,
    summary="Read a document, for clients of PaddleX",
    response_model=LayoutParsingAnswer,
    responses=openapi.responses_with(LayoutParsingError),
    openapi_extra=openapi.json_request(LayoutParsingRequest, {"file": _EXAMPLE, "visualize": False}),
)
async def parse_layout(request: Request) -> Response:
    """Send a document in base64, or its address, as `file`: the API of `paddlex --serve` for PaddleOCR-VL.

    Where a service has a storage, the result is stored as that of `/ocr` is, and headers say where.
    """
    async with reading.admit(request) as admitted:
        async with admitted.visit.in_time():
            sent, received = await _receive(admitted)
            result = await reading.read(received)
        stored = await reading.store(received, result, received.json_of(result))
        answer = partial(LayoutParsingAnswer.of, _log_id(request.scope), result, received.job.data)
        images = sent.return_markdown_images
        body = await asyncio.to_thread(lambda: answer(images).model_dump_json(exclude_none=True))
        return Response(body, 200, reading.storage_headers(stored), _JSON)


@router.post(
    _RESTRUCTURE_PATH,
    summary="Look at pages together that were read before, for clients of PaddleX",
    response_model=RestructurePagesAnswer,
    responses=openapi.responses_with(LayoutParsingError),
    openapi_extra=openapi.json_request(RestructurePagesRequest, {"pages": []}),
)
async def restructure_pages(request: Request) -> Response:
    """Send the pages of one document as `/layout-parsing` answered them."""
    async with reading.admit(request) as admitted, admitted.visit.in_time():
        sent, cut = await _read_fields(admitted, RestructurePagesRequest, _MOST_SAID)
        admitted.visit.start_clock()
        pages = await asyncio.to_thread(_given_pages, sent, cut)
        restructuring = admitted.service.pipeline.restructure(pages, _together(sent))
        try:
            restructured = await admitted.unless_disconnected(restructuring)
        except RecognitionFailed:
            raise RequestError("The pages are not such as /layout-parsing answers with.") from None
        body = await asyncio.to_thread(_restructured, _log_id(request.scope), sent, cut, restructured)
        return Response(body, 200, media_type=_JSON)


def error_body(scope: Scope, problem: Problem) -> str:
    """Say an error as PaddleX does, with options by their names here."""
    message = _NAME.sub(lambda name: _NAMES[name[1]], problem.detail)
    return LayoutParsingError(
        log_id=_log_id(scope), error_code=problem.status, error_msg=message
    ).model_dump_json()


ERROR_BODIES = dict.fromkeys((_PATH, _RESTRUCTURE_PATH), error_body)


async def _receive(admitted: Admitted) -> tuple[LayoutParsingRequest, Received]:
    sent, cut = await _read_fields(admitted, LayoutParsingRequest)
    max_bytes = admitted.service.uploads.max_bytes
    document = await asyncio.to_thread(document_of, cut.content(sent.file), max_bytes)
    # Free a body of many megabytes, which is not needed while the document is read.
    del cut
    received = await reading.receive(admitted, document, OcrFields(), sent.recognition)
    _refuse_another_type(sent, received.job.data)
    return sent, received


def _refuse_another_type(sent: LayoutParsingRequest, data: bytes) -> None:
    kind = document_kind(data)
    if sent.file_type is not None and (sent.file_type == _PDF) != (kind == "pdf"):
        raise RequestError(f"fileType is {sent.file_type}, but the file is {kind}.")


async def _read_fields(
    admitted: Admitted, model: type[Sent], most_beside: int = ENVELOPE
) -> tuple[Sent, Cut]:
    value, cut = await read_json(admitted.body, most_beside)
    if isinstance(value, dict) and isinstance(value.get("logId"), str):
        admitted.request.state.log_id = value["logId"]
    try:
        return await asyncio.to_thread(model.model_validate, value), cut
    except ValidationError as error:
        raise RequestError(_what_is_wrong(error)) from None


def _what_is_wrong(error: ValidationError) -> str:
    """Name each field once: one that may be of several types fails as each of them."""
    messages: dict[str, str] = {}
    for wrong in error.errors():
        messages.setdefault(_place(wrong["loc"]), wrong["msg"])
    return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _place(parts: Sequence[int | str]) -> str:
    """Return the field, or the place in a list; else its name is followed by the types it may have."""
    in_a_list = len(parts) > 1 and isinstance(parts[1], int)
    return ".".join(map(str, parts if in_a_list else parts[:1])) or "body"


def _log_id(scope: Scope) -> str:
    """Return the id that the caller chose, else the request's."""
    return scope.get("state", {}).get("log_id") or request_id.get()


def _together(sent: RestructurePagesRequest) -> Options:
    """Return what concerns the engine; a default says nothing."""
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


def _given_pages(sent: RestructurePagesRequest, cut: Cut) -> list[PageResult]:
    """Return the pages; their pictures are only looked at where they go into a document."""
    pages = []
    for number, page in enumerate(sent.pages, start=1):
        said = cut.whole(page.pruned_result.model_dump())
        blocks = [
            Block(block["block_label"], tuple(block["block_bbox"]), block["block_content"], order)
            for order, block in enumerate(said["parsing_res_list"], start=1)
        ]
        pictures = _pictures(page, cut) if sent.output_formats else {}
        pages.append(page_of(number, said, blocks, pictures))
    return pages


def _pictures(page: GivenPage, cut: Cut) -> dict[str, bytes]:
    pictures = {}
    for path, text in (page.markdown_images or {}).items():
        content = cut.content(text)
        if head := _DATA_URL.match(content[:300]):
            content = content[head.end() :]
        pictures[path] = from_base64(content)
    return pictures


def _restructured(log_id: str, sent: RestructurePagesRequest, cut: Cut, pages: Sequence[PageResult]) -> str:
    """Return the answer: the pictures are those that were sent, as they were sent."""
    given = [
        {path: str(cut.content(text), "utf-8") for path, text in (page.markdown_images or {}).items()}
        for page in sent.pages
    ]
    if sent.concatenate_pages and pages:
        given = [{path: picture for images in given for path, picture in images.items()}]
    results = [
        LayoutParsingResult.of(page, images if sent.return_markdown_images else None)
        for page, images in zip(pages, given, strict=True)
    ]
    answer = RestructurePagesAnswer(log_id=log_id, result=RestructureResult(layout_parsing_results=results))
    return answer.model_dump_json(exclude_none=True)
