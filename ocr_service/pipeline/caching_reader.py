"""Reading with the cache: a cached result is returned, a new one is cached."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial

from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.pipeline.cache import ResultCache
from ocr_service.pipeline.reading import Job, Reader, Reading


class CachingReader:
    """A `Reader` that asks the cache first. A job without a key goes straight to the other reader."""

    def __init__(self, reader: Reader, cache: ResultCache) -> None:
        self._reader = reader
        self._cache = cache

    @asynccontextmanager
    async def open(self, job: Job) -> AsyncIterator[Reading]:
        """Open the document, or the cached result; equal jobs at the same time are read separately."""
        if job.key is None:
            async with self._reader.open(job) as reading:
                yield reading
        elif cached := await self._cache.get(job.key):
            pages = [page.index for page in cached.pages]
            async with aclosing(_pages_of(cached)) as results:
                yield Reading(pages, decode=0.0, cached=True, results=results)
        else:
            async with (
                self._reader.open(job) as reading,
                aclosing(self._caching(reading, job)) as results,
            ):
                yield replace(reading, results=results)

    async def read(self, job: Job) -> DocumentResult:
        """Return the cached result, or read the document; equal jobs at the same time are read once."""
        if job.key is None:
            return await self._reader.read(job)
        began = time.perf_counter()
        result, cached = await self._cache.read_once(
            job.key, partial(self._reader.read, job), job.shared, _useful_pages(job)
        )
        total = time.perf_counter() - began
        if not cached:
            return replace(result, total=total)
        return replace(result, timings=Timings(), total=total, cached=True)

    async def _caching(self, reading: Reading, job: Job) -> AsyncGenerator[PageResult]:
        """Yield the pages, and cache the result when all of them are read."""
        pages = []
        async for page in reading.results:
            pages.append(page)
            yield page
        pages.sort(key=lambda page: page.index)
        assert job.key is not None
        result = DocumentResult(tuple(pages), Timings(), total=0.0)
        self._cache.put_later(job.key, result, job.shared, _useful_pages(job))


def _useful_pages(job: Job) -> str | None:
    """Return the key of the pages, unless they were restructured and so are not as they were read."""
    return None if job.options.restructure_pages else job.pages_key


async def _pages_of(result: DocumentResult) -> AsyncGenerator[PageResult]:
    for page in result.pages:
        yield page
