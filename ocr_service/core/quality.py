"""Confidence and warnings of a document, from those of its pages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ocr_service.core.documents import PageQuality, PageResult, PageWarning, WarningCode


@dataclass(frozen=True, slots=True)
class DocumentWarning:
    """A warning, with the numbers of the pages that have it, in order."""

    code: WarningCode
    detail: str
    pages: tuple[int, ...]


def mean_confidence(pages: Iterable[PageQuality]) -> float | None:
    """Return the mean of the pages, weighted by their characters; None if no page has a confidence."""
    known = [(page.confidence, page.characters) for page in pages if page.confidence is not None]
    weight = sum(characters for _, characters in known)
    return round(sum(confidence * chars for confidence, chars in known) / weight, 3) if weight else None


def union_of_warnings(pages: Iterable[PageQuality]) -> tuple[DocumentWarning, ...]:
    """Return each different warning once, with its pages, in the order of the first pages."""
    numbers: dict[PageWarning, list[int]] = {}
    for page in sorted(pages, key=lambda page: page.index):
        for warning in dict.fromkeys(page.warnings):
            numbers.setdefault(warning, []).append(page.index)
    return tuple(
        DocumentWarning(warning.code, warning.detail, tuple(found)) for warning, found in numbers.items()
    )


def with_joint_quality(page: PageResult, pages: Sequence[PageResult]) -> PageResult:
    """Return the page with the confidence and the warnings of all the pages, which it joins."""
    warnings = tuple(dict.fromkeys(warning for each in pages for warning in each.warnings))
    return replace(page, confidence=mean_confidence(each.quality for each in pages), warnings=warnings)
