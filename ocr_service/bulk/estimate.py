"""`--dry-run`: the work of a run, and how long it would take."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ocr_service.bulk.reading import DocumentReader
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.values import Document


@dataclass(slots=True)
class Plan:
    """settled: number of documents that would be skipped. left: of those that would be read.

    size: bytes of these. sample: some of them, each as likely as another.
    """

    sample_size: int
    settled: int = 0
    left: int = 0
    size: int = 0
    sample: list[Document] = field(default_factory=list)

    def add(self, document: Document, is_settled: bool) -> None:
        """Count a document, and perhaps take it into the sample (reservoir sampling)."""
        if is_settled:
            self.settled += 1
            return
        self.left += 1
        self.size += document.size
        if len(self.sample) < self.sample_size:
            self.sample.append(document)
        elif (place := random.randrange(self.left)) < self.sample_size:
            self.sample[place] = document


async def plan(
    documents: AsyncIterator[Document], reader: DocumentReader, count: int, sample_size: int
) -> Plan:
    """Look at all documents, `count` at a time."""
    found = Plan(sample_size)

    async def look(document: Document) -> tuple[Document, bool]:
        return document, await reader.is_settled_before(document)

    async for document, is_settled in in_flight(documents, look, count):
        found.add(document, is_settled)
    return found


async def estimate(found: Plan, reader: DocumentReader, count: int) -> str:
    """Read the sample without storing it, and return the report."""
    report = f"{found.left} documents to read, {found.size} bytes; {found.settled} settled before."
    if not found.sample:
        return report
    began = time.monotonic()
    pages = [each async for each in in_flight(_each(found.sample), reader.try_out, count)]
    return f"{report}\n{_from_sample(found.left, pages, time.monotonic() - began)}"


def _from_sample(left: int, pages: Sequence[int], seconds: float) -> str:
    share = left / len(pages)
    return (
        f"A sample of {len(pages)} documents took {seconds:.1f} s: {sum(pages)} pages, "
        f"{pages.count(0)} documents failed.\n"
        f"Estimate for all: {sum(pages) * share:.0f} pages, {_duration(seconds * share)}."
    )


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


async def _each(documents: Sequence[Document]) -> AsyncIterator[Document]:
    for document in documents:
        yield document
