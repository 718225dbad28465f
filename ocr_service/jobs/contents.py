"""The documents and pages of jobs, as answers need them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ocr_service.admission.memory import DocumentMemory, Share
from ocr_service.core.documents import PageResult
from ocr_service.core.errors import (
    JobCancelled,
    JobLost,
    JobsUnavailable,
    PageNotInJob,
    PagesTooLarge,
    StorageError,
)
from ocr_service.jobs.files import JobFiles
from ocr_service.jobs.job import Job, JobState

# Pages in memory while a result is answered page by page.
_PAGES_AT_ONCE = 8
# Pictures, and files and stored results of whole jobs, that are made at a time. Others wait before they load
# anything.
_PICTURES, _FILES = 2, 2
_TOO_LARGE = (
    "Restructured pages and files other than JSON and NDJSON are made in memory, which the pages exceed "
    "(OCR_MAX_DOCUMENTS_MB)."
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole result. document: None if it is not needed."""

    pages: Sequence[PageResult]
    document: bytes | None


class Contents:
    """Loads what jobs have in the storage; raises JobsUnavailable if the storage is away.

    memory: counts the documents and pages that are loaded.
    """

    def __init__(self, files: JobFiles, memory: DocumentMemory) -> None:
        self._files = files
        self._memory = memory
        self._pictures = asyncio.Semaphore(_PICTURES)
        self._results = asyncio.Semaphore(_FILES)

    @asynccontextmanager
    async def document(self, job: Job) -> AsyncIterator[bytes]:
        """Load the document of a job, for a picture of it; raises JobCancelled or JobLost."""
        async with self._pictures:
            with self._memory.share() as memory:
                yield await self._document(job, memory)

    @asynccontextmanager
    async def whole(self, job: Job, with_document: bool) -> AsyncIterator[Whole]:
        """Load the pages of `each_page`, and the document, for a file or a result made of all of them.

        Raises PagesTooLarge if the pages are larger than the memory, and as `document` and `each_page`.
        """
        async with self._results:
            with self._memory.share() as memory:
                document = await self._document(job, memory) if with_document else None
                pages: list[PageResult] = []
                async for some in self._batches(job):
                    pages += some
                    memory.take(_size(some))
                    if memory.held > self._memory.limit:
                        raise PagesTooLarge(_TOO_LARGE)
                yield Whole(pages, document)

    async def each_page(self, job: Job) -> AsyncGenerator[PageResult]:
        """Yield the pages that are there, in order; of a job that is done, those of its result.

        Few of them are in memory. Raises JobLost, or Overloaded instead of the first page.
        """
        with self._memory.share() as memory:
            count = memory.hold
            async for pages in self._batches(job):
                memory.release(memory.held)
                count(_size(pages))
                # An answer that has begun cannot be refused.
                count = memory.take
                for page in pages:
                    yield page

    async def result_page(self, job: Job, position: int) -> PageResult:
        """Return a page of the result, counted from 1; raises PageNotInJob."""
        numbers = job.result_pages[max(0, position - 1) : max(0, position)]
        if not numbers:
            raise PageNotInJob(f"The result has {len(job.result_pages)} pages; {position} is not among them.")
        return (await self._pages(job, numbers))[0]

    async def page(self, job: Job, number: int) -> PageResult:
        """Return one page as it was read; raises PageNotInJob."""
        check_page(job, number)
        if number not in job.done:
            raise PageNotInJob(f"Page {number} is not read yet.")
        found = await self._files.pages(job.id, [number])
        if not found:
            raise JobLost("The page is gone from the storage.")
        return found[0]

    async def _document(self, job: Job, memory: Share) -> bytes:
        if job.state is JobState.CANCELLED:
            raise JobCancelled("The job was cancelled, and its document is deleted.")
        memory.take(job.size)
        try:
            data = await self._files.document(job.id)
        except StorageError as error:
            raise JobsUnavailable(error.detail) from None
        if data is None:
            raise JobLost("The document of the job is gone from the storage.")
        return data

    async def _batches(self, job: Job) -> AsyncGenerator[Sequence[PageResult]]:
        numbers = job.result_pages
        for start in range(0, len(numbers), _PAGES_AT_ONCE):
            yield await self._pages(job, numbers[start : start + _PAGES_AT_ONCE])

    async def _pages(self, job: Job, numbers: Sequence[int]) -> Sequence[PageResult]:
        """Return pages of `Job.result_pages`."""
        found = await (self._files.final if job.final else self._files.pages)(job.id, numbers)
        if len(found) != len(numbers):
            raise JobLost("Pages of the job are gone from the storage.")
        return found


def _size(pages: Sequence[PageResult]) -> int:
    return sum(page.size for page in pages)


def check_page(job: Job, number: int) -> None:
    """Raise PageNotInJob if the page is not one of the job."""
    if number not in job.pages:
        raise PageNotInJob(f"The job has {len(job.pages)} pages; {number} is not among them.")
