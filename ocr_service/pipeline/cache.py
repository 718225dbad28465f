"""The result cache: complete results, in memory and in a shared store.

The key of a result is a hash of the document and of everything else that the result depends on. Equal
requests at the same time share one reading. Failed results are not cached, not even if only one block failed.
The pages of a reading that ended early are a result too, under the key of the pages of its document.
"""

import asyncio
import hashlib
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.errors import StorageError
from ocr_service.core.storage import Prunable, Storage
from ocr_service.pipeline.cache_format import from_bytes, to_bytes
from ocr_service.pipeline.memory_results import MemoryResults
from ocr_service.telemetry import metrics

log = logging.getLogger(__name__)

_FOLDER = "cache"
_CLEANUP_INTERVAL = 3600  # seconds
# Limits on the time that a store may cost a request. After an error or a timeout it is not used for a while.
_READ_SECONDS = 1.0
_BACKOFF_SECONDS = 30.0
_WRITE_SECONDS = 30.0
_CLOSING_SECONDS = 3.0
# Concurrent writes to the store. Further results are cached in memory only.
_MAX_WRITES = 16
# A larger result would evict many others, and takes seconds to compress.
_MAX_RESULT_BYTES = 8 * 2**20
_MEDIA_TYPE = "application/zlib"

Read = Callable[[], Awaitable[DocumentResult]]


def result_key(sha256: str, depends_on: Mapping[str, Any]) -> str:
    """Return the cache key of a result.

    sha256: digest of the document. depends_on: everything else that the result depends on, by name.
    """
    parts = json.dumps([sha256, depends_on], sort_keys=True, default=str)
    return hashlib.sha256(parts.encode()).hexdigest()


def is_complete(result: DocumentResult) -> bool:
    """Return whether no page and no block of a result failed."""
    return not any(page.failed for page in result.quality)


def is_small(result: DocumentResult) -> bool:
    """Return whether the files and texts of a result, uncompressed, are small enough for the cache."""
    return sum(page.size for page in result.pages) <= _MAX_RESULT_BYTES


@dataclass(slots=True)
class _Flight:
    """A shared lookup or reading.

    task: returns the result, and whether it came from the cache. waiting: number of requests that wait.
    """

    task: asyncio.Task[tuple[DocumentResult, bool]]
    waiting: int = 0


class ResultCache:
    """Two levels: memory, limited in bytes, and a store that replicas share and that survives restarts.

    memory_bytes: size of the memory level; 0 turns it off. store: None if memory is the only level.
    lifetime: seconds after which a result expires. shared: whether callers use the results of each other.
    clock: seconds since 1970.
    """

    def __init__(
        self,
        memory_bytes: int,
        store: Storage | None,
        lifetime: float,
        clock: Callable[[], float] = time.time,
        *,
        shared: bool = False,
    ) -> None:
        self.shared = shared
        self._memory = MemoryResults(memory_bytes)
        self._store = store
        self._lifetime = lifetime
        self._clock = clock
        self._flights: dict[str, _Flight] = {}
        self._writes: set[asyncio.Task[None]] = set()
        # Results that are being packed, by their key.
        self._new: dict[str, asyncio.Task[None]] = {}
        self._backoff_until = -math.inf

    @property
    def memory_bytes(self) -> int:
        """Bytes of the results in memory."""
        return self._memory.bytes

    async def get(self, key: str) -> DocumentResult | None:
        """Return the result of a key, or None if there is none or it has expired."""
        return await self._from_memory(key) or await self._from_store(key)

    async def pages(self, pages_key: str) -> dict[int, PageResult]:
        """Return the pages of a document that are cached, by their index.

        In the store, only the pages of readings that ended early are found.
        """
        await self._packed(pages_key)
        results = [await self._unpacked(data) for data in self._memory.with_pages(pages_key)]
        if not results and (data := await self._stored(pages_key)):
            results = [await self._unpacked(data)]
        return await asyncio.to_thread(_by_index, [result for result in results if result])

    async def put(
        self, key: str, result: DocumentResult, shared: bool = True, pages_key: str | None = None
    ) -> None:
        """Cache a result, unless it is incomplete or too large.

        shared: write it to the store too, in the background. A storage error is only logged.
        pages_key: of the document, so that other requests find its pages; None if they are no use to them.
        """
        if not (is_complete(result) and is_small(result)):
            return
        data = await asyncio.to_thread(to_bytes, result, self._clock())
        self._memory.put(key, data, pages_key)
        if shared and self._store and not self._backing_off and len(self._writes) < _MAX_WRITES:
            self._in_background(self._to_store(self._store, key, data))

    def put_later(self, key: str, result: DocumentResult, shared: bool, pages_key: str | None = None) -> None:
        """Cache a result in the background."""
        self._new[key] = self._in_background(self._put_new(key, result, shared, pages_key))

    def put_pages_later(self, pages_key: str, pages: Sequence[PageResult], shared: bool) -> None:
        """Cache the pages of a reading that ended early, as many as a result may have, in the background."""
        kept, size = [], 0
        for page in pages:
            size += page.size
            if not page.quality.failed and size <= _MAX_RESULT_BYTES:
                kept.append(page)
        self.put_later(pages_key, DocumentResult(tuple(kept), Timings(), total=0.0), shared, pages_key)

    async def read_once(
        self, key: str, read: Read, shared: bool = True, pages_key: str | None = None
    ) -> tuple[DocumentResult, bool]:
        """Return the cached result, or read and cache it; and whether the caller was spared the reading.

        If an equal request is being read already, wait for that result. The reading goes on as long as one
        caller waits for it.
        """
        if cached := await self._from_memory(key):
            return cached, True
        flight = self._flights.get(key)
        joined = flight is not None
        if joined:
            metrics.cache_lookups.labels("joined").inc()
        if flight is None:
            flight = self._flights[key] = _Flight(
                asyncio.create_task(self._find_or_read(key, read, shared, pages_key))
            )
        result, found = await self._wait_for(key, flight)
        return result, joined or found

    def waiting(self, key: str) -> int:
        """Return the number of requests that wait for a document that is being read."""
        flight = self._flights.get(key)
        return flight.waiting if flight else 0

    async def run_cleanup(self) -> None:
        """Delete expired results from a volume every hour, until cancelled; buckets have lifecycle rules."""
        while isinstance(self._store, Prunable):
            try:
                await self._store.prune(f"{self._store.prefix}{_FOLDER}", self._lifetime)
            except StorageError as error:
                log.warning("expired results could not be deleted: %s", error)
            await asyncio.sleep(_CLEANUP_INTERVAL)

    async def close(self) -> None:
        """Wait a few seconds for the results that are being cached, then cancel the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                # A write to the memory starts one to the store.
                while self._writes:
                    await asyncio.wait(self._writes)
        writes = set(self._writes)
        for task in writes:
            task.cancel()
        await asyncio.gather(*writes, return_exceptions=True)

    async def _find_or_read(
        self, key: str, read: Read, shared: bool, pages_key: str | None
    ) -> tuple[DocumentResult, bool]:
        if cached := await self._from_store(key):
            return cached, True
        result = await read()
        # In the background. Until the result is cached, the next request finds it in the flight.
        self._in_background(self._put_and_land(key, result, shared, pages_key))
        return result, False

    async def _put_and_land(
        self, key: str, result: DocumentResult, shared: bool, pages_key: str | None
    ) -> None:
        try:
            await self.put(key, result, shared, pages_key)
        finally:
            self._flights.pop(key, None)

    async def _put_new(self, key: str, result: DocumentResult, shared: bool, pages_key: str | None) -> None:
        try:
            await self.put(key, result, shared, pages_key)
        finally:
            if self._new.get(key) is asyncio.current_task():
                del self._new[key]

    async def _packed(self, key: str) -> None:
        """Wait while a result is packed: the request may follow the one that has read it at once."""
        if new := self._new.get(key):
            await asyncio.wait((new,))

    async def _wait_for(self, key: str, flight: _Flight) -> tuple[DocumentResult, bool]:
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not _has_read(flight.task):
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _from_memory(self, key: str) -> DocumentResult | None:
        await self._packed(key)
        data = self._memory.get(key)
        result = await self._unpacked(data) if data else None
        if result:
            metrics.cache_lookups.labels("memory").inc()
        return result

    async def _from_store(self, key: str) -> DocumentResult | None:
        data = await self._stored(key)
        result = await self._unpacked(data) if data else None
        if data and result:
            self._memory.put(key, data)
        metrics.cache_lookups.labels("store" if result else "miss").inc()
        return result

    async def _unpacked(self, data: bytes) -> DocumentResult | None:
        """Return the result, or None if it is damaged or has expired."""
        try:
            result, cached_at = await asyncio.to_thread(from_bytes, data)
        except ValueError as error:
            log.warning("a cached result could not be read: %s", error)
            return None
        return result if cached_at + self._lifetime > self._clock() else None

    async def _stored(self, key: str) -> bytes | None:
        if self._store is None or self._backing_off:
            return None
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return await self._store.get(_path(self._store, key))
        except StorageError as error:
            self._back_off("read", str(error))
        except TimeoutError:
            self._back_off("read", f"no answer within {_READ_SECONDS:g} s")
        return None

    async def _to_store(self, store: Storage, key: str, data: bytes) -> None:
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await store.put(_path(store, key), data, _MEDIA_TYPE, {})
        except StorageError as error:
            self._back_off("written", str(error))
        except TimeoutError:
            self._back_off("written", f"no answer within {_WRITE_SECONDS:g} s")

    @property
    def _backing_off(self) -> bool:
        return time.monotonic() < self._backoff_until

    def _back_off(self, action: str, reason: str) -> None:
        if not self._backing_off:
            log.warning(
                "the cache in the storage could not be %s and is not used for %g s: %s",
                action,
                _BACKOFF_SECONDS,
                reason,
            )
        self._backoff_until = time.monotonic() + _BACKOFF_SECONDS


def _has_read(task: asyncio.Task[tuple[DocumentResult, bool]]) -> bool:
    """Return whether the task has read a document, so that the result is about to be cached."""
    return task.done() and not task.cancelled() and task.exception() is None and not task.result()[1]


def _by_index(results: Sequence[DocumentResult]) -> dict[int, PageResult]:
    return {page.index: page for result in results for page in result.pages}


def _path(store: Storage, key: str) -> str:
    # Many folders, because a volume is slow if one folder has very many files.
    return f"{store.prefix}{_FOLDER}/{key[:2]}/{key}"
