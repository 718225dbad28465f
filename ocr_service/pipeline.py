"""From a file's bytes to its text: the stages in order, and every page on its way at once."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Literal

from ocr_service.decoding import Document, Limits, opened
from ocr_service.documents import DocumentResult, Engine, Options, PageResult, Timings
from ocr_service.errors import (
    EngineError,
    EngineUnavailable,
    PageError,
    RecognitionFailed,
    TooManyPages,
    bare,
)
from ocr_service.selection import select_pages

log = logging.getLogger(__name__)


class _PagesInFlight(asyncio.Semaphore):
    """Places for pages between their decoding and their text; counts those that were taken and left."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.acquired = self.released = 0

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        self.acquired += 1
        return True

    def release(self) -> None:
        self.released += 1
        super().release()


class Reading:
    """A document being read: `pages` are the numbers of those that were asked for.

    decode: seconds that opening the document took.
    """

    def __init__(
        self,
        document: Document,
        pages: Sequence[int],
        options: Options,
        engine: Engine,
        in_flight: _PagesInFlight,
        decode: float,
    ) -> None:
        self.pages = pages
        self.decode = decode
        self._document = document
        self._options = options
        self._engine = engine
        self._in_flight = in_flight

    async def results(self) -> AsyncGenerator[PageResult]:
        """Yield each page as it is done; a page's own failure is in its result, an engine's is raised.

        Closing the generator stops the pages that are still on their way.
        """
        finished: asyncio.Queue[PageResult | Exception] = asyncio.Queue()
        feeding = asyncio.create_task(self._feed(finished))
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

    async def _feed(self, finished: asyncio.Queue[PageResult | Exception]) -> None:
        """Start pages as places in flight come free; requests take turns, as each waits for one place."""
        async with asyncio.TaskGroup() as reading:
            for index in self.pages:
                began = time.perf_counter()
                await self._in_flight.acquire()
                waited = Timings(queue=time.perf_counter() - began)
                task = reading.create_task(self._finish(index, waited, finished))
                # Not in the task: one that is cancelled before its first step never runs a line.
                task.add_done_callback(lambda _: self._in_flight.release())

    async def _finish(
        self, index: int, waited: Timings, finished: asyncio.Queue[PageResult | Exception]
    ) -> None:
        try:
            result = await self._read(index)
            finished.put_nowait(replace(result, timings=result.timings + waited))
        except asyncio.CancelledError:
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

    async def _read(self, index: int) -> PageResult:
        began = time.perf_counter()
        page = await self._document.page(index)
        decode = time.perf_counter() - began
        recognizing = self._engine.recognize(page, self._options)
        # The engine may let go of the picture long before it has the text.
        del page
        result = await recognizing
        return replace(result, timings=result.timings + Timings(decode=decode))


class Pipeline:
    """Everything between a route and the engine; one for the whole service.

    max_pages: most pages of one request. pdf_dpi: pixels per inch for PDF pages, None for the engine's own.
    """

    def __init__(self, engine: Engine, limits: Limits, max_pages: int, pdf_dpi: int | None = None) -> None:
        self.engine = engine
        self._limits = limits
        self._max_pages = max_pages
        self._dpi = pdf_dpi or engine.resolution
        self._in_flight = _PagesInFlight(engine.max_pages_in_flight)

    @property
    def pages_done(self) -> int:
        """Pages that have been worked on since the start, whatever came of them."""
        return self._in_flight.released

    @property
    def pages_in_flight(self) -> int:
        """Pages that are being decoded or read."""
        return self._in_flight.acquired - self._in_flight.released

    async def process(self, data: bytes, pages: str | None, options: Options) -> DocumentResult:
        """Read a document; raises the first page's failure where no page could be read."""
        began = time.perf_counter()
        async with (
            self.reading(data, pages, options) as reading,
            aclosing(reading.results()) as results,
        ):
            finished = [page async for page in results]
        finished.sort(key=lambda page: page.index)
        _refuse_if_nothing_was_read(finished)
        if options.restructure_pages:
            finished = list(await self.engine.restructure(finished, options))
        timings = sum((page.timings for page in finished), start=Timings(decode=reading.decode))
        return DocumentResult(tuple(finished), timings, time.perf_counter() - began)

    @asynccontextmanager
    async def reading(self, data: bytes, pages: str | None, options: Options) -> AsyncIterator[Reading]:
        """Open a document and make the engine ready: what fails here fails before any page is read."""
        began = time.perf_counter()
        async with opened(data, dpi=self._dpi, mode=self.engine.image_mode, limits=self._limits) as document:
            decode = time.perf_counter() - began
            selected = select_pages(pages, document.page_count)
            self._refuse_too_many(selected)
            await self.engine.start()
            self.engine.check(options)
            yield Reading(document, selected, options, self.engine, self._in_flight, decode)

    def _refuse_too_many(self, selected: Sequence[int]) -> None:
        if len(selected) > self._max_pages:
            raise TooManyPages(
                f"{len(selected)} pages are asked for, {self._max_pages} are allowed in one request; "
                "choose some with the field `pages`."
            )


def _failed(index: int, error: PageError) -> PageResult:
    return PageResult(index, 0, 0, markdown="", text="", blocks=(), failure=bare(error))


async def _stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException):
        # A task group keeps the error that ends it, in a frame that the error keeps: with them, the document.
        traceback.clear_frames(outcome.__traceback__)


def _refuse_if_nothing_was_read(pages: Sequence[PageResult]) -> None:
    if all(page.failure for page in pages):
        assert pages[0].failure is not None
        raise pages[0].failure
