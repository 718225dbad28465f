"""Reading that goes on where an earlier reading of the document ended."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.core.engine import Engine
from ocr_service.pipeline.cache import ResultCache
from ocr_service.pipeline.page_reader import read_whole
from ocr_service.pipeline.reading import Reader, Reading, ReadRequest


class ResumingReader:
    """A `Reader` that takes the pages which the cache has, and caches the pages of a reading that ends early.

    A caller can leave, or its time can end; its retry then reads the pages that are missing.
    """

    def __init__(self, reader: Reader, cache: ResultCache, engine: Engine) -> None:
        self._reader = reader
        self._cache = cache
        self._engine = engine

    @asynccontextmanager
    async def open(self, request: ReadRequest) -> AsyncIterator[Reading]:
        """Open the document; the pages from the cache come first."""
        if request.pages_key is None:
            async with self._reader.open(request) as reading:
                yield reading
            return
        known = await self._cache.pages(request.pages_key)
        async with self._reader.open(replace(request, done=frozenset(known))) as reading:
            request.progress.done += sum(index in known for index in reading.pages)
            async with aclosing(self._results(request, reading, known)) as results:
                yield replace(reading, results=results)

    async def read(self, request: ReadRequest) -> DocumentResult:
        """Read the pages that the cache does not have, and put the document together."""
        return await read_whole(self.open, request, self._engine)

    async def _results(
        self, request: ReadRequest, reading: Reading, known: Mapping[int, PageResult]
    ) -> AsyncGenerator[PageResult]:
        """Yield the known pages, then the others; cache all of them if the reading ends early."""
        assert request.pages_key is not None
        selected = [known[index] for index in reading.pages if index in known]
        read: list[PageResult] = []
        try:
            for page in selected:
                yield page
            async for page in reading.results:
                read.append(page)
                yield page
        finally:
            if read and len(selected) + len(read) < len(reading.pages):
                self._cache.put_pages_later(request.pages_key, [*known.values(), *read], request.shared)
