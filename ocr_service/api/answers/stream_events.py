"""A document's pages as they are done → the lines of a stream: NDJSON."""

from typing import Literal

from pydantic import Field

from ocr_service.api.answers.document import (
    EXAMPLE_ENGINE,
    EXAMPLE_ID,
    EXAMPLE_PAGE,
    EXAMPLE_STORAGE,
    EXAMPLE_TIMINGS,
    Answer,
    EngineAnswer,
    PageAnswer,
    StorageAnswer,
    TimingsAnswer,
)
from ocr_service.api.answers.problems import Problem


class StartEvent(Answer):
    """The stream's first line."""

    event: Literal["start"] = Field(default="start", description="What the line is.", examples=["start"])
    request_id: str = Field(description="The request's id.", examples=[EXAMPLE_ID])
    engine: EngineAnswer = Field(
        description="Who reads the document.",
        examples=[EXAMPLE_ENGINE],
    )
    page_count: int = Field(description="How many pages will follow.", examples=[12])
    cached: bool = Field(description="Whether they were read for an earlier request.", examples=[False])


class PageEvent(Answer):
    """A line for each page, as soon as it is done; not always in the document's order."""

    event: Literal["page"] = Field(default="page", description="What the line is.", examples=["page"])
    page: PageAnswer = Field(
        description="The page, as in the JSON answer.",
        examples=[EXAMPLE_PAGE],
    )


class EndEvent(Answer):
    """The last line of a stream that came to its end."""

    event: Literal["end"] = Field(default="end", description="What the line is.", examples=["end"])
    failed_pages: list[int] = Field(description="Numbers of the pages that carry an error.", examples=[[2]])
    timings: TimingsAnswer = Field(
        description="Where the time went, in milliseconds.",
        examples=[EXAMPLE_TIMINGS],
    )
    storage: StorageAnswer = Field(
        description="Where the document's files stay, the result as the JSON answer would have it.",
        examples=[EXAMPLE_STORAGE],
    )


class ErrorEvent(Answer):
    """The last line of a stream that broke off: the engine failed for the whole document."""

    event: Literal["error"] = Field(default="error", description="What the line is.", examples=["error"])
    problem: Problem = Field(
        description="The error, in the form of every other error.",
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
    """One line of NDJSON."""
    return event.model_dump_json() + "\n"
