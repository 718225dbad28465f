"""`POST /liteparse/ocr`: the API of the OCR servers of LiteParse, for `lit --ocr-server-url`."""

import asyncio

from fastapi import Request, Response

from ocr_service.api import openapi, reading
from ocr_service.api.answers.liteparse import LiteParseAnswer
from ocr_service.api.openapi_requests import OCR_REQUEST
from ocr_service.api.routes.ocr import receive
from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.core.errors import RequestError

router = openapi.router(openapi.LITEPARSE)


@router.post(
    "/liteparse/ocr",
    summary="Read a page",
    response_model=LiteParseAnswer,
    responses=openapi.PROBLEM_RESPONSES,
    openapi_extra=OCR_REQUEST,
)
async def read_liteparse_page(request: Request) -> Response:
    """Send the image of a page as multipart `file`, and its `language`. The fields are those of `/ocr`.

    If the page cannot be read, the answer is an error. The header `X-OCR-Errors` reports a page that is only
    partly read, because this format cannot.
    """
    async with reading.admit(request) as admitted:
        async with admitted.visit.in_time():
            received, _ = await receive(admitted)
            result = await reading.read(received)
        page = _only_page(result)
        stored = await reading.store(received, result)
        headers = reading.storage_headers(stored) | reading.quality_headers(result)
        # In a thread, because a page can have thousands of blocks.
        body = await asyncio.to_thread(lambda: LiteParseAnswer.of(page).model_dump_json())
        return Response(body, 200, headers, "application/json")


def _only_page(result: DocumentResult) -> PageResult:
    if len(result.pages) != 1:
        raise RequestError(f"The document has {len(result.pages)} pages; LiteParse sends one at a time.")
    [page] = result.pages
    if page.failure:
        raise page.failure
    return page
