"""Reads one document: skips it if that was done before, else has it read and stores the result."""

from dataclasses import dataclass, field

from ocr_service.bulk.errors import DocumentFailed, JobGone
from ocr_service.bulk.replica import EngineName, Replica
from ocr_service.bulk.results import Results
from ocr_service.bulk.sources import Source
from ocr_service.bulk.values import Document, Outcome, Reading, Record, State, Wanted, idempotency_key

# Submits of one document, if other runs delete its job.
_SUBMITS = 3


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
        earlier = await self.earlier(document)
        if self.is_settled(document, earlier):
            assert earlier is not None
            return Outcome(document, earlier, is_skipped=True)
        if not self.limit.take():
            return None
        for _ in range(_SUBMITS):
            try:
                return await self._read(document, earlier)
            except JobGone:
                # Another run has stored the result and deleted the job.
                known = await self.earlier(document)
                if known is not None and known != earlier:
                    return Outcome(document, known, is_skipped=True)
        return await self._failed(
            document, earlier, DocumentFailed("job_not_found", "Its job was deleted again and again.")
        )

    async def earlier(self, document: Document) -> Record | None:
        """Return how the document was read before."""
        return await self.results.record(document.name, self.wanted.formats[-1])

    def is_settled(self, document: Document, earlier: Record | None) -> bool:
        """Whether a document with this record is skipped."""
        if earlier is None or not self._is_current(document, earlier):
            return False
        return earlier.state is State.DONE or not self.retry_failed

    async def try_out(self, document: Document) -> int:
        """Read a document, and store nothing; return the number of its pages, 0 if it failed."""
        try:
            reading = await self._reading(document, attempts=0)
        except DocumentFailed as error:
            await self._forget_failed(error)
            return 0
        except JobGone:
            return 0
        await self.replica.forget(reading.job)
        return reading.pages

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
        await self.results.store(document.name, reading.files, record)
        await self.replica.forget(reading.job)
        return Outcome(document, record)

    async def _reading(self, document: Document, attempts: int) -> Reading:
        address = self.source.address(document)
        key = idempotency_key(address, document, self.wanted, attempts)
        try:
            content = await self.source.content(document)
        except OSError as error:
            raise DocumentFailed("not_readable", error.strerror or "The file cannot be read.") from None
        return await self.replica.read(address, document.name, content, self.wanted, key)

    async def _failed(self, document: Document, earlier: Record | None, error: DocumentFailed) -> Outcome:
        record = Record(
            State.FAILED,
            document.etag,
            self.wanted.digest,
            self.engine.name,
            self.engine.version,
            attempts=_next_attempt(earlier),
            code=error.code,
            detail=error.detail,
        )
        # Text that is there is worth more than the reason why this attempt failed.
        is_partly_there = earlier and earlier.state is State.PARTLY and self._is_current(document, earlier)
        if not is_partly_there:
            await self.results.store(document.name, {}, record)
        await self._forget_failed(error)
        return Outcome(document, record)

    async def _forget_failed(self, error: DocumentFailed) -> None:
        if error.job:
            await self.replica.forget(error.job)


def _next_attempt(earlier: Record | None) -> int:
    return earlier.attempts + 1 if earlier else 1
