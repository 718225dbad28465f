"""Reading with the engine: open the document, read its pages concurrently, put them together."""

import asyncio
import io
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

from ocr_service.admission.admission import Admission
from ocr_service.core.documents import DocumentResult, Page, PageResult, Timings
from ocr_service.core.engine import Engine, EngineState
from ocr_service.core.progress import Progress
from ocr_service.decoding.document import Document
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.pipeline.page_selection import refuse_too_many, select_pages
from ocr_service.pipeline.page_tasks import PageTasks
from ocr_service.pipeline.reading import Reading, ReadRequest
from ocr_service.pipeline.recent_pages import RecentPages
from ocr_service.telemetry import tracing

OpenReading = Callable[[ReadRequest], AbstractAsyncContextManager[Reading]]


class PageReader:
    """A `Reader` that decodes and recognizes every page.

    admission: hands out the page slots. dpi: resolution for PDF pages. recent: remembers their quality.
    """

    def __init__(
        self,
        engine: Engine,
        admission: Admission,
        limits: Limits,
        dpi: int,
        recent: RecentPages,
    ) -> None:
        self._engine = engine
        self._admission = admission
        self._limits = limits
        self._dpi = dpi
        self._recent = recent

    @asynccontextmanager
    async def open(self, request: ReadRequest) -> AsyncIterator[Reading]:
        """Open the document, check the request and start the engine."""
        began = time.perf_counter()
        async with AsyncExitStack() as stack:
            with tracing.span("open"):
                document = await stack.enter_async_context(self._opened(request))
            decode = time.perf_counter() - began
            pages = _pages_of(request, document)
            await self._engine.start()
            self._engine.check(request.options)
            left = [page for page in pages if page not in request.done]
            request.progress.total = len(pages)
            queue = self._admission.page_queue(len(left), request.caller)
            tasks = PageTasks(document, left, request.options, self._engine, queue, self._recent)
            results = await stack.enter_async_context(aclosing(_counted(tasks.results(), request.progress)))
            yield Reading(pages, decode, cached=False, results=results)

    async def selected_pages(self, request: ReadRequest) -> Sequence[int]:
        """Return the selected pages, without reading them; options are checked if the engine is ready."""
        async with self._opened(request) as document:
            pages = _pages_of(request, document)
        if self._engine.state is EngineState.READY:
            self._engine.check(request.options)
        return pages

    async def picture(self, request: ReadRequest, number: int) -> bytes:
        """Return a page as a JPEG file."""
        async with self._opened(request) as document:
            pixels = await document.pixels(number)
            with self._admission.page_queue(1, request.caller) as queue:
                slot = await queue.acquire(pixels)
                try:
                    return await asyncio.to_thread(_jpeg, await document.page(number, slot))
                finally:
                    slot.end()

    async def read(self, request: ReadRequest) -> DocumentResult:
        """Read all selected pages and, if requested, restructure them."""
        return await read_whole(self.open, request, self._engine)

    def _opened(self, request: ReadRequest) -> AbstractAsyncContextManager[Document]:
        return open_document(
            request.data,
            dpi=self._dpi,
            mode=self._engine.image_mode,
            limits=self._limits,
            password=request.password,
            caller=request.caller,
        )


async def read_whole(open_reading: OpenReading, request: ReadRequest, engine: Engine) -> DocumentResult:
    """Read all selected pages with a reader and put them together; see `Reader.read`."""
    began = time.perf_counter()
    async with open_reading(request) as reading:
        pages = [page async for page in reading.results]
    pages.sort(key=lambda page: page.index)
    refuse_if_all_failed(pages)
    if request.options.restructure_pages:
        pages = list(await engine.restructure(pages, request.options))
    timings = sum((page.timings for page in pages), start=Timings(decode=reading.decode))
    return DocumentResult(tuple(pages), timings, time.perf_counter() - began)


def refuse_if_all_failed(pages: Sequence[PageResult]) -> None:
    """Raise the error of the first page if no page was read."""
    if all(page.failure for page in pages):
        assert pages[0].failure is not None
        raise pages[0].failure


async def _counted(results: AsyncGenerator[PageResult], progress: Progress) -> AsyncGenerator[PageResult]:
    async with aclosing(results):
        async for page in results:
            progress.done += 1
            yield page


def _pages_of(request: ReadRequest, document: Document) -> Sequence[int]:
    pages = select_pages(request.pages, document.page_count)
    refuse_too_many(len(pages), request.max_pages)
    return pages


def _jpeg(page: Page) -> bytes:
    file = io.BytesIO()
    page.image.save(file, "JPEG", quality=85)
    return file.getvalue()
