"""The errors and warnings of a page as sentences, for files that people read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ocr_service.core.documents import PageResult


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that must be seen before the text of its page."""

    kind: Literal["error", "warning"]
    text: str


def notes_of(page: PageResult) -> Iterator[Note]:
    """Yield the notes of a page."""
    if page.failure:
        yield Note("error", f"Page {page.index} was not read: {page.failure.detail}")
    elif failed := page.failed_blocks:
        count = f"{len(failed)} of {len(page.blocks)} blocks"
        yield Note("error", f"Page {page.index}: {count} were not read completely.")
    for warning in page.warnings:
        if not warning.code.is_notice:
            yield Note("warning", f"Page {page.index}: {warning.detail}")
