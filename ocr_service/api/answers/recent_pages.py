"""The quality of the last pages in `/health`."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ocr_service.api.answers.model import Answer
from ocr_service.core.documents import PageQuality, WarningCode
from ocr_service.core.quality import mean_confidence

EXAMPLE_RECENT_PAGES = {
    "state": "good",
    "pages": 412,
    "bad_share": 0.024,
    "failed_pages": 1,
    "confidence": 0.943,
    "warnings": {"low_confidence": 9},
}

# The alert OcrPagesDoubtful has the same share.
_MAX_BAD_SHARE = 0.2
# Below this number of pages, a share says little.
_MIN_PAGES = 20


class RecentPagesHealth(Answer):
    """The quality of the last pages: at most 1000, none older than an hour, without those from the cache."""

    state: Literal["good", "bad", "unknown"] = Field(
        description="`bad` if `bad_share` exceeds 0.2; `unknown` below 20 pages. It does not change the "
        "readiness.",
        examples=["good"],
    )
    pages: int = Field(description="Number of pages.", examples=[412])
    bad_share: float | None = Field(
        description="Share that failed, partly or completely, or has a warning that text may be wrong or "
        "missing; null if there are no pages.",
        examples=[0.024],
    )
    failed_pages: int = Field(description="Number of pages that failed, partly or completely.", examples=[1])
    confidence: float | None = Field(
        description="Mean confidence of the pages, weighted by their text; null if none of them has one.",
        examples=[0.943],
    )
    warnings: dict[WarningCode, int] = Field(
        description="Number of pages by code of their warnings.", examples=[{"low_confidence": 9}]
    )

    @classmethod
    def of(cls, pages: Sequence[PageQuality]) -> "RecentPagesHealth":
        """Make the answer."""
        bad_share = sum(page.failed or page.is_doubtful for page in pages) / len(pages) if pages else None
        return cls(
            state=_pages_state(len(pages), bad_share),
            pages=len(pages),
            bad_share=None if bad_share is None else round(bad_share, 3),
            failed_pages=sum(page.failed for page in pages),
            confidence=mean_confidence(pages),
            warnings=Counter(code for page in pages for code in {warning.code for warning in page.warnings}),
        )


def _pages_state(pages: int, bad_share: float | None) -> Literal["good", "bad", "unknown"]:
    if bad_share is None or pages < _MIN_PAGES:
        return "unknown"
    return "bad" if bad_share > _MAX_BAD_SHARE else "good"
