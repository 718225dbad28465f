"""The result of a job as PaddleOCR's clients read it: JSON Lines, one line for each page."""

import json
from collections.abc import Callable
from typing import Any

from ocr_service.api.answers.layout_parsing import LayoutParsingResult
from ocr_service.api.answers.text_lines import pruned_lines
from ocr_service.api.requests.paddle_jobs import PaddleJobFields
from ocr_service.core.documents import PageResult
from ocr_service.jobs.job import Job

Address = Callable[[str], str]


def page_line(page: PageResult, job: Job, fields: PaddleJobFields | None, address: Address) -> bytes:
    """Return the line of a page.

    fields: of the submit; None for a job of another API. address: returns the address of a picture of the
    page.
    """
    if fields and fields.wants_lines:
        key, item = "ocrResults", {"prunedResult": pruned_lines(page)}
    else:
        images = fields is None or fields.optional_payload.return_markdown_images
        key, item = "layoutParsingResults", _layout(page, images, address)
    line = {"result": {key: [item], "dataInfo": _info(page, job)}}
    # In ASCII: some clients guess the encoding, or split the text at line ends of Unicode.
    return json.dumps(line, ensure_ascii=True).encode("ascii") + b"\n"


def _layout(page: PageResult, images: bool, address: Address) -> dict[str, Any]:
    result = LayoutParsingResult.of(
        page,
        {path: address(path) for path in page.images} if images else None,
        {name: address(name) for name in page.drawings},
    )
    return result.model_dump(mode="json", exclude_none=True)


def _info(page: PageResult, job: Job) -> dict[str, Any]:
    """Return the page in its document, and the engine, whatever model the client asked for."""
    assert job.engine is not None
    return {
        "page": page.index,
        "numPages": len(job.result_pages),
        "width": page.width,
        "height": page.height,
        "engine": {"name": job.engine.name, "version": job.engine.version},
    }
