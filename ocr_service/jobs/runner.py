"""Reads jobs: claims them, renews their leases, and gives them back when the service stops."""

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field

from ocr_service.core.errors import JobsUnavailable
from ocr_service.jobs.attempt import Attempt, Ended, Outcome, ServiceParts
from ocr_service.jobs.contents import Contents
from ocr_service.jobs.files import JobFiles
from ocr_service.jobs.job import Progress
from ocr_service.jobs.statements import LEASE_SECONDS
from ocr_service.jobs.store import JobStore
from ocr_service.telemetry import metrics
from ocr_service.telemetry.request_context import request_id

log = logging.getLogger(__name__)

# Seconds between looks for jobs of other processes.
_POLL_SECONDS = 1.0
# Seconds between looks whether an attempt still has its job, and between writes of its progress.
_BEAT_SECONDS, _PROGRESS_SECONDS = 0.5, 1.0
_RENEWAL_SECONDS = LEASE_SECONDS / 3
_RETRY_SECONDS = 1.0
# Seconds that a shutdown waits for a claim under way, and for the jobs to be given back.
_CLAIM_SECONDS, _GIVE_BACK_SECONDS = 10.0, 5.0


@dataclass(slots=True)
class _Running:
    """written: the progress in the database. renewed: when the lease was, on the clock of time.monotonic."""

    attempt: Attempt
    task: asyncio.Task[None]
    written: Progress
    renewed: float = field(default_factory=time.monotonic)

    @property
    def is_due(self) -> bool:
        """Whether the progress or the lease is to be written."""
        seconds = time.monotonic() - self.renewed
        is_behind = self.attempt.progress != self.written
        return seconds >= _RENEWAL_SECONDS or (is_behind and seconds >= _PROGRESS_SECONDS)


class Runner:
    """The attempts of this process. at_once: their number; twice as many if another owner can begin."""

    def __init__(
        self, store: JobStore, files: JobFiles, contents: Contents, parts: ServiceParts, at_once: int
    ) -> None:
        self._store = store
        self._files = files
        self._contents = contents
        self._parts = parts
        self._at_once = at_once
        self._running: dict[str, _Running] = {}
        self._wake = asyncio.Event()
        self._draining = False
        self._claims_ended = asyncio.Event()
        self._claims_ended.set()

    @property
    def at_work(self) -> int:
        """Number of attempts in this process."""
        return len(self._running)

    def wake(self) -> None:
        """Look for a job now."""
        self._wake.set()

    def cancel(self, job_id: str) -> None:
        """Stop the attempt at a job that is cancelled, if it is one of this process."""
        if running := self._running.get(job_id):
            running.task.cancel()

    async def claim_jobs(self) -> None:
        """Begin attempts as long as there are jobs and room for them, until `drain`."""
        self._claims_ended.clear()
        try:
            while not self._draining:
                self._wake.clear()
                if not await self._claim():
                    await self._pause()
        finally:
            self._claims_ended.set()

    async def keep_leases(self) -> None:
        """Write the progress, renew leases and stop attempts that have lost their job, until cancelled."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            try:
                await self._beat()
            except JobsUnavailable as error:
                log.warning("the leases of the jobs could not be renewed: %s", error)

    async def drain(self) -> None:
        """Give all jobs back; another process, or this one after its restart, goes on with them."""
        self._draining = True
        self._wake.set()
        try:
            async with asyncio.timeout(_CLAIM_SECONDS):
                # A claim under way can still return a job.
                await self._claims_ended.wait()
        except TimeoutError:
            log.warning("a job that was claimed during the stop waits for the end of its lease")
        given_back = list(self._running.values())
        for running in given_back:
            running.task.cancel()
        await asyncio.gather(*(running.task for running in given_back), return_exceptions=True)
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                for running in given_back:
                    await self._store.give_back(running.attempt.job, running.attempt.progress)
        except (TimeoutError, JobsUnavailable):
            log.warning("the jobs could not be given back; they wait for the end of their leases")

    async def _claim(self) -> bool:
        """Begin one attempt; False if there is no job or no room."""
        if len(self._running) >= 2 * self._at_once:
            return False
        try:
            job = await self._store.claim(only_new_owners=len(self._running) >= self._at_once)
        except JobsUnavailable as error:
            log.warning("no job could be claimed: %s", error)
            return False
        if job is None:
            return False
        metrics.job_attempts.labels("takeover" if job.attempts > 1 else "first").inc()
        attempt = Attempt(job, self._parts, self._files, self._contents)
        task = asyncio.create_task(self._run(attempt), name=f"job {job.id}")
        self._running[job.id] = _Running(attempt, task, attempt.progress)
        task.add_done_callback(lambda _: self._ended(job.id))
        return True

    async def _run(self, attempt: Attempt) -> None:
        job = attempt.job
        request_id.set(job.request_id)
        with self._parts.admission.memory.share() as memory:
            memory.take(job.size)
            outcome = await attempt.run()
        while True:
            try:
                await self._write(attempt, outcome)
                return
            except JobsUnavailable as error:
                log.warning("the end of an attempt could not be written and is tried again: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _write(self, attempt: Attempt, outcome: Outcome) -> None:
        if isinstance(outcome, Ended):
            is_mine = await self._store.end(
                attempt.job, attempt.progress, outcome.error, outcome.final, outcome.stored
            )
            if is_mine:
                metrics.jobs_ended.labels("failed" if outcome.error else "done").inc()
        else:
            await self._store.give_back(attempt.job, attempt.progress, outcome.seconds, outcome.counted)

    def _ended(self, job_id: str) -> None:
        if len(self._running) >= self._at_once:
            # Another job may have waited for the room.
            self._wake.set()
        running = self._running.pop(job_id)
        if not running.task.cancelled() and (error := running.task.exception()):
            # Its lease ends, and another attempt begins.
            log.error("an attempt at job %s ended unexpectedly", job_id, exc_info=error)

    async def _beat(self) -> None:
        attempts = list(self._running.values())
        if not attempts:
            return
        held = await self._store.held([running.attempt.job for running in attempts])
        for running in attempts:
            if running.attempt.job.id not in held:
                running.task.cancel()
            elif running.is_due:
                progress = running.attempt.progress
                await self._store.renew(running.attempt.job, progress)
                running.written, running.renewed = progress, time.monotonic()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS * random.uniform(0.5, 1.5)):
                await self._wake.wait()
