"""Calls the callbacks of jobs at their end, some at a time, so that a slow server delays no other callers."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ocr_service.core.errors import JobsUnavailable, OcrError
from ocr_service.jobs.job import Job
from ocr_service.jobs.store import JobStore
from ocr_service.telemetry import metrics

log = logging.getLogger(__name__)

# Calls at the same time: of this process, and for one owner.
_AT_ONCE, _FOR_AN_OWNER = 16, 4
# Seconds between looks for jobs that other processes have ended.
_POLL_SECONDS = 1.0


class CallbackCalls:
    """The calls of this process. notify: calls the callback of a job; raises OcrError if it is refused."""

    def __init__(self, store: JobStore, notify: Callable[[Job], Awaitable[None]]) -> None:
        self._store = store
        self._notify = notify
        self._owners: Counter[str] = Counter()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Call the callbacks that are due, until cancelled; one that fails is tried again."""
        async with asyncio.TaskGroup() as calls:
            while True:
                self._ended.clear()
                if job := await self._claimed():
                    self._owners[job.owner] += 1
                    calls.create_task(self._call(job))
                else:
                    await self._pause()

    async def _claimed(self) -> Job | None:
        """Return a job whose callback is due; None if there is none, or no room for its call."""
        if self._owners.total() >= _AT_ONCE:
            return None
        busy = [owner for owner, calls in self._owners.items() if calls >= _FOR_AN_OWNER]
        try:
            return await self._store.claim_callback(busy)
        except JobsUnavailable:
            return None

    async def _call(self, job: Job) -> None:
        try:
            await self._notify(job)
            metrics.job_callbacks.labels("accepted").inc()
            with suppress(JobsUnavailable):
                await self._store.callback_done(job.id)
        except OcrError as error:
            log.warning("the callback of job %s failed: %s", job.id, error.code)
            metrics.job_callbacks.labels("failed").inc()
        finally:
            self._owners -= Counter((job.owner,))
            self._ended.set()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._ended.wait()
