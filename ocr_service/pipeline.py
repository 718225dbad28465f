"""From a file's bytes to its text: the stages in order, and every page on its way at once."""

import asyncio
import importlib.metadata
import logging
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from typing import Literal, Protocol

from ocr_service import __version__
from ocr_service.cache import ResultCache, result_key
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


class _KeptReading:
    """A document that was read before."""

    decode = 0.0
    cached = True

    def __init__(self, kept: DocumentResult) -> None:
        self.pages: Sequence[int] = [page.index for page in kept.pages]
        self._kept = kept

    async def results(self) -> AsyncGenerator[PageResult]:
        for page in self._kept.pages:
            yield page


class _KeepingReading:
    """A document being read, whose pages are kept once all are there."""

    cached = False

    def __init__(self, reading: "_LiveReading", keep: Callable[[DocumentResult], None]) -> None:
        self.pages, self.decode = reading.pages, reading.decode
        self._reading = reading
        self._keep = keep

    async def results(self) -> AsyncGenerator[PageResult]:
        finished = []
        async with aclosing(self._reading.results()) as results:
            async for page in results:
                finished.append(page)
                yield page
        finished.sort(key=lambda page: page.index)
        self._keep(DocumentResult(tuple(finished), Timings(), total=0.0))


class _LiveReading:
    cached = False

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
    cache: where results are kept, None for nowhere.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        max_pages: int,
        pdf_dpi: int | None = None,
        cache: ResultCache | None = None,
    ) -> None:
        self.engine = engine
        self._cache = cache
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

    async def key(self, data: bytes, pages: str | None, options: Options) -> str | None:
        """Return the key under which the result is kept, None where nothing is kept.

        Documents of equal bytes, of which the same is asked, have the same key as long as what reads them is
        the same: its version, its models, its settings.
        """
        read_by = self.engine.reads_by
        # Above 0, the model is asked for another text each time.
        if self._cache is None or read_by is None or options.temperature:
            return None
        depends_on = {
            "service": __version__,
            "engine": [self.engine.name, read_by],
            "decoding": [self._dpi, self._limits, self._max_pages, _decoders()],
            "asked": [pages, options],
        }
        return await asyncio.to_thread(result_key, data, depends_on)

    async def process(
        self,
        data: bytes,
        pages: str | None,
        options: Options,
        key: str | None = None,
        shared: bool = True,
    ) -> DocumentResult:
        """Read a document; raises the first page's failure where no page could be read.

        key: as `key` gives it, to answer with what is kept and to keep what is read; None to do neither.
        shared: keep it in the store as well, not in this process's memory alone.
        """
        if self._cache is None or key is None:
            return await self._read_all(data, pages, options)
        began = time.perf_counter()
        result, spared = await self._cache.read_once(
            key, lambda: self._read_all(data, pages, options), shared
        )
        total = time.perf_counter() - began
        if not spared:
            return replace(result, total=total)
        return replace(result, timings=Timings(), total=total, cached=True)

    @asynccontextmanager
    async def reading(
        self,
        data: bytes,
        pages: str | None,
        options: Options,
        key: str | None = None,
        shared: bool = True,
    ) -> AsyncIterator[Reading]:
        """Open a document and make the engine ready: what fails here fails before any page is read.

        key: as in `process`, but equal requests at the same time are each read.
        """
        if self._cache is None or key is None:
            async with self._opened(data, pages, options) as reading:
                yield reading
        elif kept := await self._cache.get(key):
            yield _KeptReading(kept)
        else:
            async with self._opened(data, pages, options) as reading:
                yield _KeepingReading(reading, partial(self._cache.keep_later, key, shared=shared))

    async def tend_cache(self) -> None:
        """Keep the cache's part of a volume from growing without end, until cancelled."""
        if self._cache is not None:
            await self._cache.tend()

    async def close(self) -> None:
        """Wait for results that are on their way into the store."""
        if self._cache is not None:
            await self._cache.close()

    async def _read_all(self, data: bytes, pages: str | None, options: Options) -> DocumentResult:
        began = time.perf_counter()
        async with (
            self._opened(data, pages, options) as reading,
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
    async def _opened(self, data: bytes, pages: str | None, options: Options) -> AsyncIterator[_LiveReading]:
        began = time.perf_counter()
        async with opened(data, dpi=self._dpi, mode=self.engine.image_mode, limits=self._limits) as document:
            decode = time.perf_counter() - began
            selected = select_pages(pages, document.page_count)
            self._refuse_too_many(selected)
            await self.engine.start()
            self.engine.check(options)
            yield _LiveReading(document, selected, options, self.engine, self._in_flight, decode)

    def _refuse_too_many(self, selected: Sequence[int]) -> None:
        if len(selected) > self._max_pages:
            raise TooManyPages(
                f"{len(selected)} pages are asked for, {self._max_pages} are allowed in one request; "
                "choose some with the field `pages`."
            )


@cache
def _decoders() -> list[str]:
    """Return the versions of what makes pages of bytes."""
    return [importlib.metadata.version(name) for name in ("pillow", "pillow-heif", "pypdfium2")]


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
