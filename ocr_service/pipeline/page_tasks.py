"""Tasks that read the pages of one document concurrently."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from ocr_service.admission.page_queue import PageQueue, PageSlot
from ocr_service.core.documents import PageResult, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.errors import EngineError, EngineUnavailable, PageError, RecognitionFailed, bare
from ocr_service.core.options import Options
from ocr_service.pipeline.page_reading import PageReading, ReadablePages
from ocr_service.pipeline.recent_pages import RecentPages
from ocr_service.runtime.threads import WorkTracker, work_tracker
from ocr_service.telemetry import metrics, tracing

log = logging.getLogger(__name__)


class Pages(ReadablePages, Protocol):
    """The pages of an open document; see `decoding.Document`."""

    async def pixels(self, index: int) -> int:
        """Return the number of pixels of a page; raises PageError."""


class PageTasks:
    """Decodes and recognizes the selected pages of a document; each page has a task and a slot."""

    def __init__(
        self,
        document: Pages,
        pages: Sequence[int],
        options: Options,
        engine: Engine,
        queue: AbstractContextManager[PageQueue],
        recent: RecentPages,
    ) -> None:
        self._document = document
        self._pages = pages
        self._reading = PageReading(document, options, engine)
        self._queue = queue
        self._recent = recent
        self._finished: asyncio.Queue[PageResult | Exception] = asyncio.Queue()

    async def results(self) -> AsyncGenerator[PageResult]:
        """Yield each page when it is done; see `Reading.results`."""
        with self._queue as queue:
            feeding = asyncio.create_task(self._feed(queue))
            try:
                for _ in self._pages:
                    outcome = await self._finished.get()
                    if isinstance(outcome, Exception):
                        raise outcome
                    yield outcome
                # If the task were cancelled right before its end, a traceback would hold the document.
                await feeding
            finally:
                await _stop(feeding)

    async def _feed(self, queue: PageQueue) -> None:
        """Start a task for each page as slots become free."""
        async with asyncio.TaskGroup() as tasks:
            for index in self._pages:
                began = time.perf_counter()
                pixels, error = await self._size(index)
                slot = await queue.acquire(pixels)
                waited = Timings(queue=time.perf_counter() - began)
                tracker = WorkTracker(slot.end)
                task = tasks.create_task(self._finish(index, slot, waited, tracker, error))
                # A callback, because a task that is cancelled before its first step runs no code of its own.
                task.add_done_callback(tracker.task_done)

    async def _size(self, index: int) -> tuple[int, Exception | None]:
        """Return the pixels of a page; after an error 0, and the error, which the task of the page raises."""
        try:
            return await self._document.pixels(index), None
        except Exception as error:
            return 0, error

    async def _finish(
        self, index: int, slot: PageSlot, waited: Timings, tracker: WorkTracker, error: Exception | None
    ) -> None:
        work_tracker.set(tracker)
        outcome = "failed"
        try:
            with tracing.span("page", {"ocr.page": index}):
                if error is not None:
                    raise error
                result = await self._reading.read(index, slot)
            result = replace(result, timings=result.timings + waited)
            outcome = _count(result)
            self._finish_with(result)
        except asyncio.CancelledError:
            outcome = "dropped"
            # If the caller has left, nobody reads this. Otherwise the engine gave up the page.
            self._finished.put_nowait(EngineUnavailable("The engine stopped before the page was read."))
            raise
        except PageError as page_error:
            self._finish_with(_failed(index, page_error))
        except EngineError as engine_error:
            self._finished.put_nowait(engine_error)
        except Exception:
            log.exception("page %d failed unexpectedly", index)
            self._finish_with(_failed(index, RecognitionFailed(f"Page {index} failed.")))
        finally:
            metrics.pages.labels(outcome).inc()

    def _finish_with(self, result: PageResult) -> None:
        self._recent.add(result.quality)
        self._finished.put_nowait(result)


def _count(page: PageResult) -> str:
    """Add a page to the metrics and return its outcome."""
    failed = len(page.failed_blocks)
    metrics.blocks.labels("failed").inc(failed)
    metrics.blocks.labels("read").inc(len(page.blocks) - failed)
    for code in {warning.code for warning in page.warnings}:
        metrics.page_warnings.labels(code).inc()
    metrics.doubtful_pages.inc(page.quality.is_doubtful)
    metrics.page_queue.observe(page.timings.queue)
    metrics.page_decode.observe(page.timings.decode)
    metrics.page_recognition.observe(page.timings.recognize)
    return "partly" if failed else "read"


def _failed(index: int, error: PageError) -> PageResult:
    return PageResult(index, 0, 0, markdown="", text="", blocks=(), failure=bare(error))


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException):
        # The frames of the error hold the document, and the error of a task group holds its own frames.
        traceback.clear_frames(outcome.__traceback__)
