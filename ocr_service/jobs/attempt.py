"""One attempt at a job: read the pages that are missing, and write each when it is read."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ocr_service.admission.admission import Admission
from ocr_service.core.documents import PageResult
from ocr_service.core.errors import (
    EngineError,
    JobLost,
    JobsUnavailable,
    OcrError,
    PagesTooLarge,
    StorageError,
)
from ocr_service.core.turns import Caller
from ocr_service.jobs.contents import Contents
from ocr_service.jobs.files import JobFiles
from ocr_service.jobs.job import Job, JobEngine, JobError, Progress, Wanted
from ocr_service.pipeline.page_reader import refuse_if_all_failed
from ocr_service.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
# Seconds before the next attempt, when the engine or the storage failed, and when the service did.
_OUTAGE_PAUSE, _ERROR_PAUSE = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """The parts of the service that read jobs.

    wanted_by: returns what a job wants of the pipeline. notify: calls the callback of a job; raises OcrError
    if it is not accepted. check_callback: raises RequestError for a URL that cannot be called.
    store: stores the result of a job, from its document and pages, and returns `Job.stored`; pages that are
    too large for the memory are None. The function is None if there is no storage.
    """

    pipeline: Pipeline
    admission: Admission
    wanted_by: Callable[[Job], Wanted]
    notify: Callable[[Job], Awaitable[None]]
    check_callback: Callable[[str], None]
    store: Callable[[Job, bytes, Sequence[PageResult] | None], Awaitable[Mapping[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is done, or failed if there is an error. final, stored: see `Job`."""

    error: JobError | None = None
    final: int = 0
    stored: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Another attempt goes on after so many seconds. counted: this one counts."""

    seconds: float
    counted: bool = False


Outcome = Ended | GivenBack


class Attempt:
    """Reads one job. job: as it was claimed, with the token of this attempt."""

    def __init__(self, job: Job, parts: ServiceParts, files: JobFiles, contents: Contents) -> None:
        self.job = job
        self._parts = parts
        self._pipeline = parts.pipeline
        self._files = files
        self._contents = contents
        self._done = list(job.done)
        self._failed = list(job.failed)

    @property
    def progress(self) -> Progress:
        """What is done so far, by this attempt and the earlier ones."""
        return Progress(tuple(self._done), tuple(self._failed), self._engine)

    async def run(self) -> Outcome:
        """Read the job to its end; cancelling it stops its pages."""
        if self.job.attempts > MAX_ATTEMPTS:
            return _failed(
                JobLost(f"The service ended or failed {MAX_ATTEMPTS} times while it read the job.")
            )
        try:
            return await self._read(self._parts.wanted_by(self.job))
        except (EngineError, StorageError, JobsUnavailable) as outage:
            log.warning("job %s goes on in %g s: %s", self.job.id, _OUTAGE_PAUSE, outage.code)
            return GivenBack(_OUTAGE_PAUSE)
        except OcrError as error:
            return _failed(error)
        except Exception:
            log.exception("an attempt at job %s failed unexpectedly", self.job.id)
            return GivenBack(_ERROR_PAUSE, counted=True)

    @property
    def _engine(self) -> JobEngine:
        engine = self._pipeline.engine
        return JobEngine(engine.name, engine.version)

    async def _read(self, wanted: Wanted) -> Ended:
        """Read the missing pages, and finish the job."""
        document = await self._files.document(self.job.id)
        if document is None:
            raise JobLost("The document of the job is gone from the storage.")
        request = await self._pipeline.request(
            document,
            wanted.pages,
            wanted.options,
            # The cache has restructured pages, and a job keeps the pages as they were read.
            cached=wanted.cached and not wanted.options.restructure_pages,
            shared=wanted.shared,
            caller=Caller(self.job.owner, is_job=True),
        )
        del document
        if self.job.attempts > 1 or self._done:
            await self._find_pages()
            request = replace(request, done=frozenset(self._done), key=None, pages_key=None)
        async with self._pipeline.reader.open(request) as opened:
            async for page in opened.results:
                await self._files.put_page(self.job.id, page)
                self._add(page)
        return await self._finish(wanted, request.data)

    async def _find_pages(self) -> None:
        """Take over the pages of earlier attempts, also those that are not in the row yet."""
        if self.job.engine not in (None, self._engine):
            # Pages of two engines in one result would differ for no visible reason.
            self._done, self._failed = [], []
            return
        left = [number for number in self.job.pages if number not in self._done]
        for page in await self._files.pages(self.job.id, left):
            self._add(page)

    def _add(self, page: PageResult) -> None:
        if page.index in self._done:
            return
        if page.quality.failed:
            self._failed.append(page.index)
        self._done.append(page.index)

    async def _finish(self, wanted: Wanted, document: bytes) -> Ended:
        """Restructure and store the pages as far as that is wanted."""
        restructures = wanted.options.restructure_pages
        store = self._parts.store if wanted.stored else None
        if not (restructures or store) and len(self._failed) < len(self._done):
            return Ended()
        job = replace(self.job, done=self.job.pages)
        try:
            async with self._contents.whole(job, with_document=False) as whole:
                pages = whole.pages
                refuse_if_all_failed(pages)
                final = 0
                if restructures:
                    pages = await self._pipeline.engine.restructure(pages, wanted.options)
                    await self._files.put_final(self.job.id, pages)
                    final = len(pages)
                return Ended(final=final, stored=await store(self.job, document, pages) if store else None)
        except PagesTooLarge:
            if restructures or store is None:
                raise
            return Ended(stored=await store(self.job, document, None))


def _failed(error: OcrError) -> Ended:
    return Ended(JobError(error.status, error.code, error.title, error.detail))
