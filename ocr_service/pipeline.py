"""From a file's bytes to its text: the stages in order, and every page on its way at once."""

import asyncio
import importlib.metadata
import logging
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Protocol

from ocr_service import __version__, metrics, tracing
from ocr_service.admission import Admission, Turns
from ocr_service.cache import ResultCache, result_key
from ocr_service.decoding import Document, Limits, opened, refuse_bad_pictures
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
from ocr_service.workers import Stay, stay

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A document, and what is asked of it.

    pages: a selection such as "1-3,7", None for all. key: under which the result is kept, None where none is;
    see `Pipeline.job`. shared: whether it is kept in the store as well, not in this process's memory alone.
    """

    data: bytes
    pages: str | None = None
    options: Options = Options()
    key: str | None = None
    shared: bool = True


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


class Pipeline:
    """Everything between a route and the engine; one for the whole service.

    admission: gives pages their places. max_pages: most pages of one request. pdf_dpi: pixels per inch for
    PDF pages, None for the engine's own. cache: where results are kept, None for nowhere.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        admission: Admission,
        max_pages: int,
        pdf_dpi: int | None = None,
        cache: ResultCache | None = None,
    ) -> None:
        self.engine = engine
        self._cache = cache
        self._limits = limits
        self._admission = admission
        self._max_pages = max_pages
        self._dpi = pdf_dpi or engine.resolution

    @property
    def cached_bytes(self) -> int | None:
        """Bytes of the results that are kept in memory, None where none are kept at all."""
        return None if self._cache is None else self._cache.memory_bytes

    async def job(
        self, data: bytes, pages: str | None, options: Options, cached: bool = True, shared: bool = True
    ) -> Job:
        """Return what is to be done, with the key under which its result is kept.

        Documents of equal bytes, of which the same is asked, have the same key as long as what reads them is
        the same: its version, its models, its settings. cached: False for a job that has no key.
        """
        job = Job(data, pages, options, shared=shared)
        read_by = self.engine.reads_by
        # Above 0, the model is asked for another text each time.
        if not cached or self._cache is None or read_by is None or options.temperature:
            return job
        depends_on = {
            "service": __version__,
            "engine": [self.engine.name, read_by],
            "decoding": [self._dpi, self._limits, self._max_pages, _decoders()],
            "asked": [pages, options],
        }
        return replace(job, key=await asyncio.to_thread(result_key, data, depends_on))

    async def process(self, job: Job) -> DocumentResult:
        """Read a document, or answer with what is kept; raises the first failure where no page was read."""
        if self._cache is None or job.key is None:
            return await self._read_all(job)
        began = time.perf_counter()
        result, spared = await self._cache.read_once(job.key, lambda: self._read_all(job), job.shared)
        total = time.perf_counter() - began
        if not spared:
            return replace(result, total=total)
        return replace(result, timings=Timings(), total=total, cached=True)

    @asynccontextmanager
    async def reading(self, job: Job) -> AsyncIterator[Reading]:
        """Open a document and make the engine ready: what fails here fails before any page is read.

        Equal jobs at the same time are each read.
        """
        if self._cache is None or job.key is None:
            async with self._opened(job) as reading:
                yield reading
        elif kept := await self._cache.get(job.key):
            yield _KeptReading(kept)
        else:
            async with self._opened(job) as reading:
                yield _KeepingReading(reading, partial(self._cache.keep_later, job.key, shared=job.shared))

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Put pages together that were read before, perhaps elsewhere; raises OcrError."""
        if not pages:
            return pages
        self._refuse_too_many(pages)
        pictures = [picture for page in pages for picture in page.images.values()]
        await asyncio.to_thread(refuse_bad_pictures, pictures, self._limits)
        await self.engine.start()
        self.engine.check(options)
        return await self.engine.restructure(pages, options)

    async def tend_cache(self) -> None:
        """Keep the cache's part of a volume from growing without end, until cancelled."""
        if self._cache is not None:
            await self._cache.tend()

    async def close(self) -> None:
        """Wait for results that are on their way into the store."""
        if self._cache is not None:
            await self._cache.close()

    async def _read_all(self, job: Job) -> DocumentResult:
        began = time.perf_counter()
        async with (
            self._opened(job) as reading,
            aclosing(reading.results()) as results,
        ):
            finished = [page async for page in results]
        finished.sort(key=lambda page: page.index)
        _refuse_if_nothing_was_read(finished)
        if job.options.restructure_pages:
            finished = list(await self.engine.restructure(finished, job.options))
        timings = sum((page.timings for page in finished), start=Timings(decode=reading.decode))
        return DocumentResult(tuple(finished), timings, time.perf_counter() - began)

    @asynccontextmanager
    async def _opened(self, job: Job) -> AsyncIterator[_LiveReading]:
        began = time.perf_counter()
        async with AsyncExitStack() as stack:
            with tracing.span("open"):
                document = await stack.enter_async_context(
                    opened(job.data, dpi=self._dpi, mode=self.engine.image_mode, limits=self._limits)
                )
            decode = time.perf_counter() - began
            selected = select_pages(job.pages, document.page_count)
            self._refuse_too_many(selected)
            await self.engine.start()
            self.engine.check(job.options)
            yield _LiveReading(document, selected, job.options, self.engine, self._admission, decode)

    def _refuse_too_many(self, selected: Sequence[object]) -> None:
        if len(selected) > self._max_pages:
            raise TooManyPages(
                f"{len(selected)} pages are asked for, {self._max_pages} are allowed in one request; "
                "choose some with the field `pages`."
            )


@cache
def _decoders() -> list[str]:
    """Return the versions of what makes pages of bytes."""
    return [importlib.metadata.version(name) for name in ("pillow", "pillow-heif", "pypdfium2")]


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


def _refuse_if_nothing_was_read(pages: Sequence[PageResult]) -> None:
    if all(page.failure for page in pages):
        assert pages[0].failure is not None
        raise pages[0].failure
