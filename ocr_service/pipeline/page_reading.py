"""Reading of a document's pages, all of them on their way at once."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from ocr_service.admission.admission import Admission, Turns
from ocr_service.core.documents import PageResult, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.errors import EngineError, EngineUnavailable, PageError, RecognitionFailed, bare
from ocr_service.core.options import Options
from ocr_service.decoding import Document
from ocr_service.runtime.threads import Stay, stay
from ocr_service.telemetry import metrics, tracing

log = logging.getLogger(__name__)


class Reading(Protocol):
    """A document being read: `pages` are the numbers of those that were asked for.

    decode: seconds that opening the document took. cached: whether it was read before.
    """

    pages: Sequence[int]
    decode: float
    cached: bool

    def results(self) -> AsyncGenerator[PageResult]:
        """Yield each page as it is done; a page's own failure is in its result, an engine's is raised.

        Closing the generator stops the pages that are still on their way.
        """


class LiveReading:
    """A document whose pages are decoded and recognized now."""

    cached = False

    def __init__(
        self,
        document: Document,
        pages: Sequence[int],
        options: Options,
        engine: Engine,
        admission: Admission,
        decode: float,
    ) -> None:
        self.pages = pages
        self.decode = decode
        self._document = document
        self._options = options
        self._engine = engine
        self._admission = admission

    async def results(self) -> AsyncGenerator[PageResult]:
        """Yield each page as it is done."""
        finished: asyncio.Queue[PageResult | Exception] = asyncio.Queue()
        with self._admission.turns(len(self.pages)) as turns:
            feeding = asyncio.create_task(self._feed(turns, finished))
            try:
                for _ in self.pages:
                    outcome = await finished.get()
                    if isinstance(outcome, Exception):
                        raise outcome
                    yield outcome
                # Done but for its last step: cancelling it would leave a traceback, and all that hangs on it.
                await feeding
            finally:
                await _stopped(feeding)

    async def _feed(self, turns: Turns, finished: asyncio.Queue[PageResult | Exception]) -> None:
        """Start pages as places come free."""
        async with asyncio.TaskGroup() as reading:
            for index in self.pages:
                began = time.perf_counter()
                pixels = await self._pixels(index)
                await turns.take(pixels)
                waited = Timings(queue=time.perf_counter() - began)
                staying = Stay(partial(turns.give_back, pixels))
                task = reading.create_task(self._finish(index, waited, finished, staying))
                # Not in the task: one that is cancelled before its first step never runs a line.
                task.add_done_callback(staying.leave)

    async def _pixels(self, index: int) -> int:
        try:
            return await self._document.pixels(index)
        except PageError:
            # It takes its turn all the same: decoding it will say what is wrong.
            return 0

    async def _finish(
        self, index: int, waited: Timings, finished: asyncio.Queue[PageResult | Exception], staying: Stay
    ) -> None:
        stay.set(staying)
        outcome = "failed"
        try:
            with tracing.span("page", {"ocr.page": index}):
                result = await self._read(index)
            result = replace(result, timings=result.timings + waited)
            outcome = _counted(result)
            finished.put_nowait(result)
        except asyncio.CancelledError:
            outcome = "dropped"
            # Nobody reads this where it was the caller who left; else the engine gave the page up.
            finished.put_nowait(EngineUnavailable("The engine stopped before the page was read."))
            raise
        except PageError as error:
            finished.put_nowait(_failed(index, error))
        except EngineError as error:
            finished.put_nowait(error)
        except Exception:
            log.exception("page %d failed unexpectedly", index)
            finished.put_nowait(_failed(index, RecognitionFailed(f"Page {index} failed.")))
        finally:
            metrics.pages.labels(outcome).inc()

    async def _read(self, index: int) -> PageResult:
        began = time.perf_counter()
        with tracing.span("decode"):
            page = await self._document.page(index)
        decode = time.perf_counter() - began
        decoded = page.image.size
        recognizing = self._engine.recognize(page, self._options)
        # The engine may let go of the picture long before it has the text.
        del page
        with tracing.span("recognize"):
            result = await recognizing
        return replace(result, decoded=decoded, timings=result.timings + Timings(decode=decode))


def _counted(page: PageResult) -> str:
    """Tell the metrics of a page that was read; return the word for what came of it."""
    failed = len(page.failed_blocks)
    metrics.blocks.labels("failed").inc(failed)
    metrics.blocks.labels("read").inc(len(page.blocks) - failed)
    metrics.page_queue.observe(page.timings.queue)
    metrics.page_decode.observe(page.timings.decode)
    metrics.page_recognition.observe(page.timings.recognize)
    return "partly" if failed else "read"


def _failed(index: int, error: PageError) -> PageResult:
    return PageResult(index, 0, 0, markdown="", text="", blocks=(), failure=bare(error))


async def _stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException):
        # A task group keeps the error that ends it, in a frame that the error keeps: with them, the document.
        traceback.clear_frames(outcome.__traceback__)
