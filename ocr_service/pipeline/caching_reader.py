"""Reading with the cache: a cached result is returned, a new one is cached."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial

from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.pipeline.cache import ResultCache
from ocr_service.pipeline.reading import Reader, Reading, ReadRequest


class CachingReader:
    """A `Reader` that asks the cache first. A request without a key goes straight to the other reader."""

    def __init__(self, reader: Reader, cache: ResultCache) -> None:
        self._reader = reader
        self._cache = cache

    @asynccontextmanager
    async def open(self, request: ReadRequest) -> AsyncIterator[Reading]:
        """Open the document, or the cached result; equal jobs at the same time are read separately."""
        if request.key is None:
            async with self._reader.open(request) as reading:
                yield reading
        elif cached := await self._cache.get(request.key):
            pages = [page.index for page in cached.quality]
            async with aclosing(_pages_of(cached)) as results:
                yield Reading(pages, decode=0.0, cached=True, results=results)
        else:
            async with (
                self._reader.open(request) as reading,
                aclosing(self._caching(reading, request)) as results,
            ):
                yield replace(reading, results=results)

    async def read(self, request: ReadRequest) -> DocumentResult:
        """Return the cached result, or read the document; equal jobs at the same time are read once."""
        if request.key is None:
            return await self._reader.read(request)
        began = time.perf_counter()
        result, cached = await self._cache.read_once(
            request.key, partial(self._reader.read, request), request.shared, _useful_pages(request)
        )
        total = time.perf_counter() - began
        if not cached:
            return replace(result, total=total)
        return replace(result, timings=Timings(), total=total, cached=True)

    async def _caching(self, reading: Reading, request: ReadRequest) -> AsyncGenerator[PageResult]:
        """Yield the pages, and cache the result when all of them are read."""
        pages = []
        async for page in reading.results:
            pages.append(page)
            yield page
        pages.sort(key=lambda page: page.index)
        assert request.key is not None
        result = DocumentResult(tuple(pages), Timings(), total=0.0)
        self._cache.put_later(request.key, result, request.shared, _useful_pages(request))


def _useful_pages(request: ReadRequest) -> str | None:
    """Return the key of the pages, unless they were restructured and so are not as they were read."""
    return None if request.options.restructure_pages else request.pages_key


async def _pages_of(result: DocumentResult) -> AsyncGenerator[PageResult]:
    for position in range(len(result.pages)):
        # In a thread, because a page of a long result is unpacked now.
        yield await asyncio.to_thread(result.pages.__getitem__, position)
