"""The jobs of the service: submit, look at, cancel; and the tasks that read and delete them."""

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ocr_service.core.errors import (
    IdempotencyKeyReused,
    JobNotFound,
    JobsFull,
    JobsNotConfigured,
    JobsUnavailable,
    RequestError,
    StorageError,
    StorageFull,
)
from ocr_service.jobs.attempt import ServiceParts
from ocr_service.jobs.contents import Contents
from ocr_service.jobs.job import Job, JobState, JobStatus, NewJob
from ocr_service.jobs.places import Places
from ocr_service.jobs.queue_state import QueueState
from ocr_service.jobs.settings import JobSettings

if TYPE_CHECKING:
    from ocr_service.jobs.opening import Opened

log = logging.getLogger(__name__)

T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{32}")
# What two submits with one idempotency key have in common.
_REQUEST = ("sha256", "asked", "face", "callback_url")
# Retry-After while the database is being opened, in seconds.
_SOON = 1
_OPENING_PAUSE = 1.0
# Seconds between deletions of old jobs, and between the figures of the metrics.
_SWEEP_SECONDS, _STATE_SECONDS = 10.0, 5.0
_SWEEP_LIMIT = 100


class Jobs:
    """The jobs of the service; belongs to one event loop. queue_state: recent figures, or None."""

    def __init__(self, settings: JobSettings, places: Places, parts: ServiceParts) -> None:
        self.queue_state: QueueState | None = None
        self._settings = settings
        self._places = places
        self._parts = parts
        self._opened: Opened | None = None
        self._reason = "The service is starting."
        self._missing = places.missing(settings)
        self._draining = False

    @property
    def at_work(self) -> int:
        """Number of jobs that this process reads."""
        return self._opened.runner.at_work if self._opened else 0

    @property
    def are_shared(self) -> bool:
        """Whether other processes read these jobs, too."""
        return bool(self._settings.url)

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called."""
        return self._draining

    @staticmethod
    def new_id() -> str:
        """Return an id for a job that nobody can guess."""
        return uuid.uuid4().hex

    @property
    def contents(self) -> Contents:
        """The documents and pages of jobs; raises as `check_available`."""
        return self._ready().contents

    def check_available(self) -> None:
        """Raise JobsUnavailable or JobsNotConfigured if no job can be accepted or found now."""
        self._ready()

    def check_callback(self, url: str) -> None:
        """Raise RequestError if a job cannot have this callback."""
        if self._settings.callback_secret is None:
            raise RequestError("callback_url: set OCR_JOBS_CALLBACK_SECRET, with which the calls are signed.")
        self._parts.check_callback(url)

    async def submit(self, new: NewJob, data: bytes) -> Job:
        """Accept a job: from now on it is read, whatever ends. data: the document.

        Raises TooManyJobs, IdempotencyKeyReused, JobsUnavailable if the document cannot be kept, or JobsFull
        if there is no place for it.
        """
        opened = self._ready()
        if earlier := await self._earlier(opened, new):
            return earlier
        await opened.store.add(new)
        try:
            await opened.files.put_document(new.id, data)
        except StorageError as error:
            await self._forget(opened, new.id)
            kind = JobsFull if isinstance(error, StorageFull) else JobsUnavailable
            raise kind(f"The document cannot be kept. {error.detail}") from None
        job = await opened.store.accept(new)
        if job.id != new.id:
            await self._forget(opened, new.id)
            return _same_request(job, new)
        opened.runner.wake()
        return job

    async def get(self, job_id: str, owner: str) -> Job:
        """Return a job; raises JobNotFound."""
        store = self._ready().store
        return _found(await store.get(job_id, owner) if _ID.fullmatch(job_id) else None)

    async def look(self, job_id: str, owner: str) -> tuple[Job, asyncio.Event]:
        """Return a job, and the event that its next change by this process sets; raises JobNotFound."""
        changed = self._ready().store.changes.next_of(job_id)
        return await self.get(job_id, owner), changed

    async def status(self, job_id: str, owner: str) -> JobStatus:
        """Return a job and its place in the queue; raises JobNotFound."""
        store = self._ready().store
        return _found(await store.status(job_id, owner) if _ID.fullmatch(job_id) else None)

    async def newest(
        self,
        owner: str,
        limit: int,
        before: str | None = None,
        state: JobState | None = None,
        batch: str | None = None,
    ) -> Sequence[Job]:
        """Return jobs of an owner, the newest first. before: id of the last one of the previous page."""
        last = await self.get(before, owner) if before else None
        return await self._ready().store.page(owner, limit, last, state, batch)

    async def batch(self, owner: str, batch: str, limit: int) -> Sequence[Job]:
        """Return the jobs of an owner that share a label."""
        return await self._ready().store.batch(owner, batch, limit)

    async def cancel(self, job_id: str, owner: str) -> Job:
        """Cancel an open job, or delete one that has ended with its result; raises JobNotFound."""
        opened = self._ready()
        job = await self.get(job_id, owner)
        if job.state.is_open:
            if cancelled := await opened.store.cancel(job_id, owner):
                opened.runner.cancel(job_id)
                # Again at its expiry: a page can be on its way to the storage.
                await opened.files.delete(job_id)
                return cancelled
            # It has ended meanwhile.
            job = await self.get(job_id, owner)
        await self._delete(opened, [job_id])
        return job

    def signed(self, path: str) -> str:
        """Return a path with a signature: whoever has it needs no API key."""
        return self._ready().links.signed(path)

    async def linked(self, job_id: str, path: str, end: int, signature: str) -> Job:
        """Return the job of a signed path; raises InvalidLink or JobNotFound."""
        opened = self._ready()
        opened.links.check(path, end, signature)
        return _found(await opened.store.find(job_id))

    async def run(self) -> None:
        """Open the database, then read jobs and delete old ones, until cancelled."""
        opened = await self._open()
        if opened is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(opened.runner.claim_jobs())
            tasks.create_task(opened.runner.keep_leases())
            tasks.create_task(opened.callbacks.run())
            tasks.create_task(self._sweep(opened))
            tasks.create_task(self._watch(opened))

    async def drain(self) -> None:
        """Give back the jobs that are being read. Jobs can still be looked at."""
        self._draining = True
        if self._opened is not None:
            await self._opened.runner.drain()
            self._opened.store.changes.tell_all()

    async def close(self) -> None:
        """Close the database, after `drain` and after the end of `run`."""
        if self._opened is not None:
            await self._opened.store.close()
        if self._places.local is not None:
            await self._places.local.close()

    def _ready(self) -> "Opened":
        if self._missing:
            raise JobsNotConfigured(self._missing)
        if self._opened is None:
            raise JobsUnavailable(self._reason, _SOON)
        return self._opened

    async def _forget(self, opened: "Opened", job_id: str) -> None:
        """Forget a submit that failed; if that fails too, its row expires."""
        with suppress(StorageError, JobsUnavailable):
            await opened.files.delete(job_id)
            await opened.store.forget([job_id])

    async def _earlier(self, opened: "Opened", new: NewJob) -> Job | None:
        """Return the job that the idempotency key has, if it is the same request."""
        if new.idempotency_key is None:
            return None
        earlier = await opened.store.by_key(new.owner, new.idempotency_key)
        return _same_request(earlier, new) if earlier else None

    async def _open(self) -> "Opened | None":
        """Open the database; wait for one that cannot be reached yet. None if the settings name none."""
        if self._missing:
            log.info("jobs: none. %s", self._missing)
            return None
        while not self._draining:
            try:
                open_jobs = await asyncio.to_thread(_load)
                self._opened = await open_jobs(self._settings, self._places, self._parts)
                place = "in PostgreSQL" if self._settings.url else f"below {self._places.folder}"
                log.info("jobs are available, %s", place)
                return self._opened
            except JobsUnavailable as error:
                if error.detail != self._reason:
                    log.warning("jobs are not available yet: %s", error)
                self._reason = error.detail
                await asyncio.sleep(_OPENING_PAUSE)
        return None

    async def _sweep(self, opened: "Opened") -> None:
        """Delete jobs that have been kept for long enough, with their files."""
        while True:
            try:
                await self._delete(opened, await opened.store.expired(_SWEEP_LIMIT))
            except (JobsUnavailable, StorageError) as error:
                log.warning("old jobs could not be deleted: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _delete(self, opened: "Opened", ids: Sequence[str]) -> None:
        """Delete the files first: a row without files is found again, files without a row are not."""
        for job_id in ids:
            await opened.files.delete(job_id)
        if ids:
            await opened.store.forget(ids)

    async def _watch(self, opened: "Opened") -> None:
        while True:
            try:
                self.queue_state = await opened.store.queue_state()
            except JobsUnavailable:
                self.queue_state = None
            await asyncio.sleep(_STATE_SECONDS)


def _same_request(earlier: Job, new: NewJob) -> Job:
    """Return the job that has the key of the new one; raises IdempotencyKeyReused for another request."""
    if any(getattr(earlier, name) != getattr(new, name) for name in _REQUEST):
        raise IdempotencyKeyReused("The job with this key has another document or other fields.")
    return earlier


def _found(found: T | None) -> T:
    if found is None:
        raise JobNotFound("There is no job with this id, or its result was kept for long enough.")
    return found


def _load() -> "Callable[[JobSettings, Places, ServiceParts], Awaitable[Opened]]":
    # In a thread, because the import takes half a second.
    from ocr_service.jobs.opening import open_jobs

    return open_jobs
