"""From a file's bytes to its text: the stages in order, and every page on its way at once."""

import asyncio
import hashlib
import importlib.metadata
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial

from ocr_service import __version__
from ocr_service.admission.admission import Admission
from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.errors import TooManyPages
from ocr_service.core.options import Options
from ocr_service.decoding import Limits, opened, refuse_bad_pictures
from ocr_service.pipeline.cache import ResultCache, result_key
from ocr_service.pipeline.page_reading import LiveReading, Reading
from ocr_service.pipeline.page_selection import select_pages
from ocr_service.telemetry import tracing


@dataclass(frozen=True, slots=True)
class Job:
    """A document, and what is asked of it.

    sha256: digest of the data, in hex. pages: a selection such as "1-3,7", None for all.
    key: of the result in the cache, None if it is not cached; see `Pipeline.job`.
    shared: whether it is cached in the store as well, not only in the memory of this process.
    """

    data: bytes
    sha256: str
    pages: str | None = None
    options: Options = field(default_factory=Options)
    key: str | None = None
    shared: bool = True


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

    def __init__(self, reading: LiveReading, keep: Callable[[DocumentResult], None]) -> None:
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
        sha256 = await asyncio.to_thread(_sha256, data)
        job = Job(data, sha256, pages, options, shared=shared)
        read_by = self.engine.reads_by
        # Above 0, the model is asked for another text each time.
        if not cached or self._cache is None or read_by is None or not options.repeatable:
            return job
        depends_on = {
            "service": __version__,
            "engine": [self.engine.name, read_by],
            "decoding": [self._dpi, self._limits, self._max_pages, _decoders()],
            "asked": [pages, options],
        }
        return replace(job, key=result_key(sha256, depends_on))

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
    async def _opened(self, job: Job) -> AsyncIterator[LiveReading]:
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
            yield LiveReading(document, selected, job.options, self.engine, self._admission, decode)

    def _refuse_too_many(self, selected: Sequence[object]) -> None:
        if len(selected) > self._max_pages:
            raise TooManyPages(
                f"{len(selected)} pages are asked for, {self._max_pages} are allowed in one request; "
                "choose some with the field `pages`."
            )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _decoders() -> list[str]:
    """Return the versions of what makes pages of bytes."""
    return [importlib.metadata.version(name) for name in ("pillow", "pillow-heif", "pypdfium2")]


def _refuse_if_nothing_was_read(pages: Sequence[PageResult]) -> None:
    if all(page.failure for page in pages):
        assert pages[0].failure is not None
        raise pages[0].failure
