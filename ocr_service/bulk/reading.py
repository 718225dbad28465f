"""Reads one document: skips it if that was done before, else has it read and stores the result."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from ocr_service.bulk.errors import CannotRun, DocumentFailed, JobGone, NameNotUsable
from ocr_service.bulk.replica import JOB_NOT_FOUND, EngineName, Replica
from ocr_service.bulk.results import Results
from ocr_service.bulk.sources import Source
from ocr_service.bulk.values import Document, Outcome, Reading, Record, State, Wanted, idempotency_key

# Submits of one document, if other runs delete its job.
_SUBMITS = 3
# Tries of a document that the service cannot fetch, and seconds between them.
_FETCH_FAILED, _FETCHES, _PAUSE = "fetch_failed", 4, 2.0
_REFUSED = "url_not_allowed"


@dataclass(slots=True)
class Limit:
    """left: number of documents that may still be read; None for all."""

    left: int | None = None

    @property
    def is_reached(self) -> bool:
        """Whether no more documents may be read."""
        return self.left == 0

    def take(self) -> bool:
        """Whether one more document may be read; it counts."""
        if self.is_reached:
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """engine: of the replica. retry_failed: read documents again of which text is missing."""

    source: Source
    results: Results
    replica: Replica
    engine: EngineName
    wanted: Wanted
    retry_failed: bool = False
    limit: Limit = field(default_factory=Limit)

    async def __call__(self, document: Document) -> Outcome | None:
        """Read a document unless that is done; None if the limit is reached. Raises CannotRun."""
        try:
            return await self._once(document)
        except NameNotUsable as error:
            failure = DocumentFailed("name_not_usable", str(error))
            return Outcome(document, self._failure(document, None, failure))

    async def _once(self, document: Document) -> Outcome | None:
        earlier = await self._earlier(document)
        if self._is_settled(document, earlier):
            assert earlier is not None
            return Outcome(document, earlier, is_skipped=True)
        if not self.limit.take():
            return None
        for left in reversed(range(_SUBMITS)):
            try:
                return await self._read(document, earlier)
            except JobGone as error:
                # Another run has stored the result and deleted the job.
                known = await self._earlier(document)
                if known is not None and known != earlier:
                    return Outcome(document, known, is_skipped=True)
                if not left:
                    return await self._lost(document, earlier, error)
        raise AssertionError("the last submit returns or raises")

    async def _lost(self, document: Document, earlier: Record | None, error: JobGone) -> Outcome:
        if error.code == JOB_NOT_FOUND:
            raise CannotRun(
                "The service does not know jobs that it has accepted. "
                "Its replicas need one database for them: OCR_JOBS_URL."
            )
        return await self._failed(document, earlier, DocumentFailed(error.code, str(error)))

    async def is_settled_before(self, document: Document) -> bool:
        """Whether a document would be skipped."""
        try:
            return self._is_settled(document, await self._earlier(document))
        except NameNotUsable:
            return False

    async def try_out(self, document: Document) -> int:
        """Read a document, and store nothing; return the number of its pages, 0 if it failed."""
        try:
            reading = await self._reading(document, attempts=0)
        except DocumentFailed as error:
            await self._forget(error.job)
            return 0
        except JobGone:
            return 0
        await self.replica.forget(reading.job)
        return reading.pages

    async def _earlier(self, document: Document) -> Record | None:
        return await self.results.record(document.name, self.wanted.formats[-1])

    def _is_settled(self, document: Document, earlier: Record | None) -> bool:
        if earlier is None or not self._is_current(document, earlier):
            return False
        return earlier.state is State.DONE or not self.retry_failed

    def _is_current(self, document: Document, record: Record) -> bool:
        return record.is_of(document, self.wanted, self.engine.name)

    async def _read(self, document: Document, earlier: Record | None) -> Outcome:
        attempts = _next_attempt(earlier)
        try:
            reading = await self._reading(document, attempts)
        except DocumentFailed as error:
            return await self._failed(document, earlier, error)
        record = Record(
            State.PARTLY if reading.failed_pages else State.DONE,
            document.etag,
            self.wanted.digest,
            reading.engine,
            reading.engine_version,
            reading.pages,
            reading.failed_pages,
            attempts,
        )
        await self._store(document, reading.files, record, reading.job)
        return Outcome(document, record)

    async def _reading(self, document: Document, attempts: int) -> Reading:
        address = self.source.address(document)
        key = idempotency_key(address, document, self.wanted, attempts)
        for left in reversed(range(_FETCHES)):
            try:
                content = await self.source.content(document)
                return await self.replica.read(address, document.name, content, self.wanted, key)
            except OSError as error:
                raise DocumentFailed("not_readable", error.strerror or "The file cannot be read.") from None
            except DocumentFailed as error:
                if not (left and await self._can_succeed_later(document, error)):
                    raise
            await asyncio.sleep(_PAUSE)
        raise AssertionError("the last try returns or raises")

    async def _can_succeed_later(self, document: Document, error: DocumentFailed) -> bool:
        """Raise CannotRun if the service takes no address of this source."""
        if error.code == _REFUSED and not self.source.is_refused_alone(document):
            raise CannotRun(f"{error.detail} ({error.code})")
        return error.code == _FETCH_FAILED and await self.source.can_be_fetched_again(document)

    async def _failed(self, document: Document, earlier: Record | None, error: DocumentFailed) -> Outcome:
        record = self._failure(document, earlier, error)
        # Text that is there is worth more than the reason why this attempt failed.
        is_partly_there = earlier and earlier.state is State.PARTLY and self._is_current(document, earlier)
        if is_partly_there:
            await self._forget(error.job)
        else:
            await self._store(document, {}, record, error.job)
        return Outcome(document, record)

    async def _store(
        self, document: Document, files: Mapping[str, bytes], record: Record, job: str | None
    ) -> None:
        """Store the results of a job, which is deleted then; it stays if the place of the results is away."""
        try:
            await self.results.store(document.name, files, record)
        except NameNotUsable:
            await self._forget(job)
            raise
        await self._forget(job)

    def _failure(self, document: Document, earlier: Record | None, error: DocumentFailed) -> Record:
        return Record(
            State.FAILED,
            document.etag,
            self.wanted.digest,
            self.engine.name,
            self.engine.version,
            attempts=_next_attempt(earlier),
            code=error.code,
            detail=error.detail,
        )

    async def _forget(self, job: str | None) -> None:
        if job:
            await self.replica.forget(job)


def _next_attempt(earlier: Record | None) -> int:
    return earlier.attempts + 1 if earlier else 1
