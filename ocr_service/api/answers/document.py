"""The JSON answer of a document, made from its result.

The models are also the documentation of the API: each field has a description and an example.
"""

from base64 import b64encode

from pydantic import Field

from ocr_service.api.answers.blocks import EXAMPLE_BLOCK, BlockAnswer, ErrorAnswer
from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.api.answers.storage import EXAMPLE_STORAGE, StorageAnswer
from ocr_service.api.answers.warnings import (
    EXAMPLE_DOCUMENT_WARNING,
    EXAMPLE_WARNING,
    DocumentWarningAnswer,
    WarningAnswer,
)
from ocr_service.core.documents import PageResult, TextSource, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.errors import OcrError, PartlyRecognized
from ocr_service.jobs.job import JobEngine

EXAMPLE_ENGINE = {"name": "tesseract", "version": "5.5.4"}
EXAMPLE_TIMINGS = {"decode": 151.2, "queue": 0.4, "recognize": 912.7, "total": 1069.3}
EXAMPLE_PAGE = {
    "index": 1,
    "width": 2480,
    "height": 3508,
    "rotation": 0,
    "markdown": "# Договор поставки № 17",
    "text": "Договор поставки № 17",
    "blocks": [EXAMPLE_BLOCK],
    "images": {},
    "source": "ocr",
    "confidence": 0.957,
    "warnings": [],
    "error": None,
}
_EXAMPLE_TEXT = "Договор поставки № 17\n\nНастоящий договор заключён…"  # noqa: RUF001


class EngineAnswer(Answer):
    """Name and version of an engine."""

    name: str = Field(description="Name of the engine.", examples=["tesseract"])
    version: str | None = Field(description="Version of the engine.", examples=["5.5.4"])

    @classmethod
    def of(cls, engine: Engine | JobEngine) -> "EngineAnswer":
        return cls(name=engine.name, version=engine.version)


class TimingsAnswer(Answer):
    """Durations in milliseconds.

    Pages are processed in parallel, so a sum over the pages can exceed the total.
    """

    decode: float = Field(
        description="Opening the file and decoding its pages, in milliseconds, summed over the pages.",
        examples=[151.2],
    )
    queue: float = Field(
        description="Waiting for a slot, in milliseconds, summed over the pages.", examples=[0.4]
    )
    recognize: float = Field(
        description="Recognition, in milliseconds, summed over the pages.", examples=[912.7]
    )
    total: float = Field(
        description="From the received document to the result, in milliseconds.", examples=[1069.3]
    )

    @classmethod
    def of(cls, timings: Timings, total: float) -> "TimingsAnswer":
        return cls(
            decode=_ms(timings.decode),
            queue=_ms(timings.queue),
            recognize=_ms(timings.recognize),
            total=_ms(total),
        )


class PageAnswer(Answer):
    """A page."""

    index: int = Field(
        description="Number of the page in the document, from 1, as in the field `pages`.",
        examples=[1],
    )
    width: int = Field(
        description="Width of the decoded page in pixels; 0 if the page could not be read.",
        examples=[2480],
    )
    height: int = Field(
        description="Height of the decoded page in pixels; 0 if the page could not be read.",
        examples=[3508],
    )
    rotation: int = Field(
        description="Degrees counterclockwise by which the page was turned before it was read: 0, 90, 180 or "
        "270. Width, height and positions are those of the turned page.",
        examples=[0],
    )
    markdown: str = Field(
        description="The page as Markdown.",
        examples=["# Договор поставки № 17\n\nНастоящий…"],  # noqa: RUF001
    )
    text: str = Field(description="The page as plain text.", examples=[_EXAMPLE_TEXT])
    blocks: list[BlockAnswer] = Field(
        description="The blocks of the page, in reading order.",
        examples=[[EXAMPLE_BLOCK]],
    )
    images: dict[str, str] = Field(
        description="Images in the Markdown: from the path in the Markdown to a JPEG file in base64. "
        "Empty with `images=false`.",
        examples=[{"imgs/img_in_image_box_131_519_1050_891.jpg": "/9j/4AAQ…"}],
    )
    source: TextSource = Field(
        description="Source of the text: `ocr`, or `text_layer` if the PDF itself holds it; the text of "
        "pictures on the page is recognized in both cases.",
        examples=["ocr"],
    )
    confidence: float | None = Field(
        description="Mean confidence of the characters, 0 to 1; null if the engine has none, or if there is "
        "no text.",
        examples=[0.957],
    )
    warnings: list[WarningAnswer] = Field(
        description="Reasons to check the text of this page.", examples=[[EXAMPLE_WARNING]]
    )
    error: ErrorAnswer | None = Field(
        description="Reason if the text of this page is missing or incomplete, else null. "
        "Other pages are not affected.",
        examples=[None],
    )

    @classmethod
    def of(cls, page: PageResult, images: bool = True, words: bool = True) -> "PageAnswer":
        return cls(
            index=page.index,
            width=page.width,
            height=page.height,
            rotation=page.rotation,
            markdown=page.markdown,
            text=page.text,
            blocks=[BlockAnswer.of(block, words) for block in page.blocks],
            images={path: b64encode(file).decode() for path, file in page.images.items()} if images else {},
            source=page.source,
            confidence=page.confidence,
            warnings=[WarningAnswer.of(warning) for warning in page.warnings],
            error=ErrorAnswer.of(page_error(page)),
        )


class ResultAnswer(Answer):
    """The result of a document, as it is stored. `ResultWriter` writes it page by page."""

    request_id: str = Field(
        description="Id of the request, as in the header `X-Request-ID` and in the log.",
        examples=[EXAMPLE_ID],
    )
    engine: EngineAnswer = Field(description="The engine that read the document.", examples=[EXAMPLE_ENGINE])
    cached: bool = Field(
        description="Whether the result is from the cache, or was shared with an equal request.",
        examples=[False],
    )
    pages: list[PageAnswer] = Field(
        description="The requested pages, in order.",
        examples=[[EXAMPLE_PAGE]],
    )
    markdown: str = Field(
        description="All pages as Markdown, with an empty line between them.",
        examples=["# Договор поставки № 17\n\nНастоящий…"],  # noqa: RUF001
    )
    text: str = Field(
        description="All pages as plain text, with an empty line between them.", examples=[_EXAMPLE_TEXT]
    )
    confidence: float | None = Field(
        description="Mean confidence of the pages, weighted by their text; null if none of them has one.",
        examples=[0.957],
    )
    warnings: list[DocumentWarningAnswer] = Field(
        description="The warnings of all pages, each once.", examples=[[EXAMPLE_DOCUMENT_WARNING]]
    )
    timings: TimingsAnswer = Field(
        description="Durations in milliseconds.",
        examples=[EXAMPLE_TIMINGS],
    )


class DocumentAnswer(ResultAnswer):
    """The result of a document, and its stored files."""

    storage: StorageAnswer = Field(
        description="The stored files.",
        examples=[EXAMPLE_STORAGE],
    )


def page_error(page: PageResult) -> OcrError | None:
    """Return an error if the text of the page, or of some of its blocks, is missing or incomplete."""
    failed = page.failed_blocks
    if page.failure or not failed:
        return page.failure
    blocks = f"{len(failed)} of {len(page.blocks)} blocks"
    return PartlyRecognized(f"The text of {blocks} is missing or incomplete; each has its error.")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
