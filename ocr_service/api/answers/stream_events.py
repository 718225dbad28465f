"""The lines of a stream (NDJSON): one event per line."""

from typing import Literal

from pydantic import Field

from ocr_service.api.answers.document import (
    EXAMPLE_ENGINE,
    EXAMPLE_PAGE,
    EXAMPLE_TIMINGS,
    EngineAnswer,
    PageAnswer,
    TimingsAnswer,
)
from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.storage import EXAMPLE_STORAGE, StorageAnswer
from ocr_service.api.answers.warnings import EXAMPLE_DOCUMENT_WARNING, DocumentWarningAnswer


class StartEvent(Answer):
    """The first line of a stream."""

    event: Literal["start"] = Field(default="start", description="Type of the line.", examples=["start"])
    request_id: str = Field(description="Id of the request.", examples=[EXAMPLE_ID])
    engine: EngineAnswer = Field(
        description="The engine that reads the document.",
        examples=[EXAMPLE_ENGINE],
    )
    page_count: int = Field(description="Number of pages that follow.", examples=[12])
    cached: bool = Field(description="Whether the pages are from the cache.", examples=[False])


class PageEvent(Answer):
    """A line for a page, as soon as it is read; pages can be out of order."""

    event: Literal["page"] = Field(default="page", description="Type of the line.", examples=["page"])
    page: PageAnswer = Field(
        description="The page, as in the JSON answer.",
        examples=[EXAMPLE_PAGE],
    )


class EndEvent(Answer):
    """The last line of a complete stream."""

    event: Literal["end"] = Field(default="end", description="Type of the line.", examples=["end"])
    failed_pages: list[int] = Field(description="Numbers of the pages with an error.", examples=[[2]])
    confidence: float | None = Field(
        description="Mean confidence of the pages, as in the JSON answer.", examples=[0.957]
    )
    warnings: list[DocumentWarningAnswer] = Field(
        description="The warnings of all pages, as in the JSON answer.",
        examples=[[EXAMPLE_DOCUMENT_WARNING]],
    )
    timings: TimingsAnswer = Field(
        description="Durations in milliseconds.",
        examples=[EXAMPLE_TIMINGS],
    )
    storage: StorageAnswer = Field(
        description="The stored files; `result.json` is the same as for a JSON answer.",
        examples=[EXAMPLE_STORAGE],
    )


class ErrorEvent(Answer):
    """The last line of a stream that failed: an error of the whole document."""

    event: Literal["error"] = Field(default="error", description="Type of the line.", examples=["error"])
    problem: Problem = Field(
        description="The error, in the same format as other errors of the service.",
        examples=[
            {
                "type": "urn:ocr-service:error:engine_unavailable",
                "title": "The OCR engine is not available",
                "status": 503,
                "detail": "Tesseract could not be started.",
                "code": "engine_unavailable",
                "request_id": EXAMPLE_ID,
            }
        ],
    )


StreamEvent = StartEvent | PageEvent | EndEvent | ErrorEvent


def to_line(event: StreamEvent) -> str:
    """Return the event as a line of NDJSON."""
    return event.model_dump_json() + "\n"
