"""Results that were read before: found by what was read and how, kept in memory and in a store.

A result's key is the hash of the document's bytes and of everything else that its text depends on. Equal
requests at the same time are read once. What failed is not kept, not even in part.
"""

import asyncio
import hashlib
import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.core.errors import StorageError
from ocr_service.core.storage import Forgetful, Storage
from ocr_service.pipeline.cache_format import from_bytes, to_bytes
from ocr_service.telemetry import metrics

log = logging.getLogger(__name__)

_FOLDER = "cache"
_TENDED_EVERY = 3600  # seconds
# What a store may cost those who ask: after a failure, or when it is slow, it is left alone for a while.
_LOOKUP_SECONDS = 1.0
_LEFT_ALONE_SECONDS = 30.0
_STORING_SECONDS = 30.0
_CLOSING_SECONDS = 3.0
# Writes to the store at a time; further results are kept in memory alone.
_MOST_STORING = 16
# A larger result would drive many others out, and takes seconds to pack.
_MOST_BYTES_OF_A_RESULT = 8 * 2**20
_MEDIA_TYPE = "application/zlib"

Read = Callable[[], Awaitable[DocumentResult]]


def result_key(sha256: str, depends_on: Mapping[str, Any]) -> str:
    """Return the cache key of a result.

    sha256: digest of the document. depends_on: everything else that the result depends on, by name.
    """
    parts = json.dumps([sha256, depends_on], sort_keys=True, default=str)
    return hashlib.sha256(parts.encode()).hexdigest()


def is_whole(result: DocumentResult) -> bool:
    """Say whether nothing of a result failed."""
    return not any(page.failure or page.failed_blocks for page in result.pages)


def is_small(result: DocumentResult) -> bool:
    """Say whether a result is worth its place; by its files and texts, without packing it."""
    return sum(map(_size, result.pages)) <= _MOST_BYTES_OF_A_RESULT


@dataclass(slots=True)
class _Flight:
    """A document that is being found or read: its result, and whether it was found; how many wait for it."""

    task: asyncio.Task[tuple[DocumentResult, bool]]
    waiting: int = 0


class ResultCache:
    """Two levels: memory, bounded in bytes, and a store that replicas share and restarts leave alone.

    memory_bytes: most bytes in memory; 0 keeps none there. store: None where memory is all. lifetime: seconds
    after which a document is read anew. clock: seconds since 1970.
    """

    def __init__(
        self,
        memory_bytes: int,
        store: Storage | None,
        lifetime: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = _Memory(memory_bytes)
        self._store = store
        self._lifetime = lifetime
        self._clock = clock
        self._flights: dict[str, _Flight] = {}
        self._storing: set[asyncio.Task[None]] = set()
        self._left_alone_until = -math.inf

    async def get(self, key: str) -> DocumentResult | None:
        """Return what is kept under a key, if it is not too old."""
        return await self._from_memory(key) or await self._from_store(key)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the results in memory."""
        return self._memory.bytes

    async def keep(self, key: str, result: DocumentResult, shared: bool = True) -> None:
        """Keep a result, unless something in it failed or it is too large; fails nobody.

        shared: in the store as well, which is written to beside and not waited for.
        """
        if not (is_whole(result) and is_small(result)):
            return
        packed = await asyncio.to_thread(to_bytes, result, self._clock())
        self._memory.put(key, packed)
        if shared and self._store and not self._left_alone and len(self._storing) < _MOST_STORING:
            self._beside(self._into_store(self._store, key, packed))

    def keep_later(self, key: str, result: DocumentResult, shared: bool) -> None:
        """Keep a result beside whatever comes next."""
        self._beside(self.keep(key, result, shared))

    async def read_once(self, key: str, read: Read, shared: bool = True) -> tuple[DocumentResult, bool]:
        """Return what is kept, or else read and keep it; and whether this caller was spared the reading.

        Who asks for what is being read waits with the others; it goes on as long as one of them waits.
        """
        if kept := await self._from_memory(key):
            return kept, True
        flight = self._flights.get(key)
        joined = flight is not None
        if joined:
            metrics.cache_lookups.labels("joined").inc()
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._find_or_read(key, read, shared)))
        result, found = await self._landed(key, flight)
        return result, joined or found

    async def close(self) -> None:
        """Wait for what is being kept, a little."""
        storing = set(self._storing)
        if storing:
            await asyncio.wait(storing, timeout=_CLOSING_SECONDS)
        for task in storing:
            task.cancel()
        await asyncio.gather(*storing, return_exceptions=True)

    async def _find_or_read(self, key: str, read: Read, shared: bool) -> tuple[DocumentResult, bool]:
        if kept := await self._from_store(key):
            return kept, True
        result = await read()
        # Not waited for; until it is kept, the flight is where the next one finds it.
        self._beside(self._keep_and_land(key, result, shared))
        return result, False

    async def _keep_and_land(self, key: str, result: DocumentResult, shared: bool) -> None:
        try:
            await self.keep(key, result, shared)
        finally:
            self._flights.pop(key, None)

    async def _landed(self, key: str, flight: _Flight) -> tuple[DocumentResult, bool]:
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not _read_well(flight.task):
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)

    async def _from_memory(self, key: str) -> DocumentResult | None:
        kept = self._memory.get(key)
        result = await self._unpacked(kept) if kept else None
        if result:
            metrics.cache_lookups.labels("memory").inc()
        return result

    async def _from_store(self, key: str) -> DocumentResult | None:
        kept = await self._stored(key)
        result = await self._unpacked(kept) if kept else None
        if kept and result:
            self._memory.put(key, kept)
        metrics.cache_lookups.labels("store" if result else "miss").inc()
        return result

    async def _stored(self, key: str) -> bytes | None:
        if self._store is None or self._left_alone:
            return None
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                return await self._store.get(_path(self._store, key))
        except StorageError as error:
            self._leave_alone("read", str(error))
        except TimeoutError:
            self._leave_alone("read", f"it takes more than {_LOOKUP_SECONDS:g} s")
        return None

    @property
    def _left_alone(self) -> bool:
        return time.monotonic() < self._left_alone_until

    def _leave_alone(self, what: str, why: str) -> None:
        if not self._left_alone:
            log.warning("the cache's store cannot be %s and is left alone for a while: %s", what, why)
        self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS

    async def _unpacked(self, kept: bytes) -> DocumentResult | None:
        try:
            result, kept_at = await asyncio.to_thread(from_bytes, kept)
        except ValueError as error:
            log.warning("a kept result cannot be read: %s", error)
            return None
        return result if kept_at + self._lifetime > self._clock() else None

    async def _into_store(self, store: Storage, key: str, packed: bytes) -> None:
        try:
            async with asyncio.timeout(_STORING_SECONDS):
                await store.put(_path(store, key), packed, _MEDIA_TYPE, {})
        except StorageError as error:
            self._leave_alone("written", str(error))
        except TimeoutError:
            self._leave_alone("written", f"it takes more than {_STORING_SECONDS:g} s")

    async def tend(self) -> None:
        """Remove what is too old from a volume now and then, until cancelled; buckets have rules for that."""
        while isinstance(self._store, Forgetful):
            try:
                await self._store.forget(f"{self._store.prefix}{_FOLDER}", self._lifetime)
            except StorageError as error:
                log.warning("old results cannot be removed: %s", error)
            await asyncio.sleep(_TENDED_EVERY)

    def waiting(self, key: str) -> int:
        """Return how many wait for a document that is being read."""
        flight = self._flights.get(key)
        return flight.waiting if flight else 0


def _size(page: PageResult) -> int:
    files = (*page.images.values(), *page.drawings.values(), page.docx or b"", page.markdown)
    return sum(map(len, files))


def _read_well(task: asyncio.Task[tuple[DocumentResult, bool]]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and not task.result()[1]


def _path(store: Storage, key: str) -> str:
    # In many folders, as a volume is slow with one of very many files.
    return f"{store.prefix}{_FOLDER}/{key[:2]}/{key}"


class _Memory:
    """The most recently used results, up to so many bytes; bytes: of those that are there."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, kept: bytes) -> None:
        if len(kept) > self._most_bytes:
            return
        self.bytes += len(kept) - len(self._kept.pop(key, b""))
        self._kept[key] = kept
        while self.bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= len(oldest)
