"""The warnings of pages and documents in answers."""

from collections.abc import Iterable

from pydantic import Field

from ocr_service.api.answers.model import Answer
from ocr_service.core.documents import PageQuality, PageWarning, WarningCode
from ocr_service.core.quality import union_of_warnings

EXAMPLE_WARNING = {
    "code": "low_confidence",
    "detail": "The confidence is low: parts of the text may be wrong.",
}
EXAMPLE_DOCUMENT_WARNING = {**EXAMPLE_WARNING, "pages": [2, 5]}


class WarningAnswer(Answer):
    """A reason to check the text of a page."""

    code: WarningCode = Field(description="Stable code of the warning.", examples=["low_confidence"])
    detail: str = Field(
        description="Description of the warning, in one sentence.", examples=[EXAMPLE_WARNING["detail"]]
    )

    @classmethod
    def of(cls, warning: PageWarning) -> "WarningAnswer":
        return cls(code=warning.code, detail=warning.detail)


class DocumentWarningAnswer(WarningAnswer):
    """A warning, and the pages that have it."""

    pages: list[int] = Field(description="Numbers of the pages with this warning.", examples=[[2, 5]])

    @classmethod
    def all_of(cls, pages: Iterable[PageQuality]) -> "list[DocumentWarningAnswer]":
        """Return the warnings of all pages, each once."""
        return [
            cls(code=warning.code, detail=warning.detail, pages=list(warning.pages))
            for warning in union_of_warnings(pages)
        ]
