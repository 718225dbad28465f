"""Reports a run: a progress bar, a line for each document, and the sums."""

import json
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from tqdm import tqdm

from ocr_service.bulk.values import Outcome, State

SKIPPED = "skipped"


@dataclass(slots=True)
class Sums:
    """documents: number of them by their state, or "skipped" if they were done before."""

    documents: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    failed_pages: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count a document."""
        record = outcome.record
        is_done_before = outcome.is_skipped and record.state is State.DONE
        self.documents[SKIPPED if is_done_before else record.state] += 1
        if not outcome.is_skipped:
            self.pages += record.pages
            self.failed_pages += record.failed_pages

    @property
    def all_done(self) -> bool:
        """Whether no text of any document is missing, as far as the service knows."""
        return not (self.documents[State.FAILED] or self.documents[State.PARTLY])

    def __str__(self) -> str:
        counts = self.documents
        return (
            f"{counts[State.DONE]} read, {counts[SKIPPED]} done before, {counts[State.PARTLY]} incomplete, "
            f"{counts[State.FAILED]} failed; {self.pages} pages read, {self.failed_pages} of them failed"
        )


class Progress:
    """Shows the outcomes on the terminal, if there is one, and writes them into the report.

    report: file for a JSON object per line; None for no report.
    """

    def __init__(self, report: IO[str] | None) -> None:
        self.sums = Sums()
        self._report = report
        self._bar: tqdm[None] = tqdm(unit="doc", disable=None, smoothing=0.05, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal."""
        return not self._bar.disable

    def expect(self, documents: int) -> None:
        """Take the number of all documents, so that the bar knows the time that is left."""
        self._bar.total = documents
        self._bar.refresh()

    def add(self, outcome: Outcome) -> None:
        """Show and report a document."""
        self.sums.add(outcome)
        if self._report is not None:
            self._report.write(json.dumps(_line(outcome), ensure_ascii=False) + "\n")
        self._bar.set_postfix(pages=self.sums.pages, failed=self.sums.documents[State.FAILED], refresh=False)
        self._bar.update()


def _line(outcome: Outcome) -> dict[str, object]:
    record = outcome.record
    line: dict[str, object] = {
        "document": outcome.document.name,
        "state": record.state,
        "skipped": outcome.is_skipped,
        "pages": record.pages,
        "failed_pages": record.failed_pages,
        "attempts": record.attempts,
        "engine": record.engine,
    }
    return {**line, "code": record.code, "detail": record.detail} if record.code else line
