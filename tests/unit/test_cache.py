"""The result cache: hits, concurrent readers, expiry, size limits and a failing store."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ocr_service.core.documents import (
    Block,
    DocumentResult,
    PageResult,
    PageWarning,
    Timings,
    WarningCode,
    Word,
)
from ocr_service.core.errors import BrokenDocument, RecognitionFailed, StorageOutage
from ocr_service.pipeline.cache import ResultCache, result_key
from ocr_service.pipeline.cache_format import from_bytes, to_bytes
from ocr_service.pipeline.page_format import page_from_bytes
from tests.fakes.memory_storage import MemoryStorage

pytestmark = pytest.mark.anyio

HOUR = 3600.0
WORD = Word("Договор", (1, 2, 3, 4), 0.5, bold=True)
BLOCK = Block("text", (1, 2, 3, 4), "Договор № 17", order=1, confidence=0.5, words=(WORD,))
PAGE = PageResult(
    index=3,
    width=10,
    height=20,
    markdown="# Договор",
    text="Договор",
    blocks=(BLOCK,),
    images={"imgs/a.jpg": b"\xff\xd8 a picture"},
    raw={"parsing_res_list": [{"block_label": "text", "block_bbox": [1, 2, 3, 4]}]},
)
RESULT = DocumentResult((PAGE,), Timings(), total=0.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """Finishes when the test allows it, and counts the starts and cancellations."""

    def __init__(self, outcome: DocumentResult | Exception = RESULT) -> None:
        self.begun = self.stopped = 0
        self.may_end = asyncio.Event()
        self.started = asyncio.Event()
        self._outcome = outcome

    async def __call__(self) -> DocumentResult:
        self.begun += 1
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def read_at_once(result: DocumentResult = RESULT) -> Callable[[], Awaitable[DocumentResult]]:
    async def read() -> DocumentResult:
        return result

    return read


def must_not_read() -> Callable[[], Awaitable[DocumentResult]]:
    async def read() -> DocumentResult:
        raise AssertionError("the document was read again")

    return read


async def wait_until(holds: Callable[[], bool]) -> None:
    """Let the other tasks run until the condition holds."""
    async with asyncio.timeout(120):
        while not holds():
            await asyncio.sleep(0)


def test_serialisation_round_trip_drops_the_timings() -> None:
    timed = DocumentResult((replace(PAGE, timings=Timings(1, 2, 3)),), Timings(1, 2, 3), total=6)
    assert from_bytes(to_bytes(timed, cached_at=5.0)) == (RESULT, 5.0)


@pytest.mark.parametrize(
    "damaged", [b"", b"nothing", to_bytes(RESULT, 0)[:-9], b"x\x9c\x03\x00\x00\x00\x00\x01"]
)
def test_damaged_entry_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):
        from_bytes(damaged)


def test_pages_of_a_long_result_are_unpacked_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []

    def counted(data: bytes) -> PageResult:
        page = page_from_bytes(data)
        unpacked.append(page.index)
        return page

    monkeypatch.setattr("ocr_service.pipeline.cache_format.page_from_bytes", counted)
    warning = PageWarning(WarningCode.LOW_CONFIDENCE, "low")
    pages = tuple(replace(PAGE, index=number, warnings=(warning,)) for number in range(1, 21))
    result = DocumentResult(pages, Timings(), total=0.0)
    found, _ = from_bytes(to_bytes(result, 5.0))
    assert (len(found.pages), found.quality) == (20, tuple(result.quality)) and not unpacked
    assert found.pages[7] == pages[7] and unpacked == [8]
    assert found == result and tuple(found.pages[18:]) == pages[18:]


def test_damage_within_a_page_is_found_at_once() -> None:
    pages = tuple(replace(PAGE, index=number) for number in range(1, 21))
    data = bytearray(to_bytes(DocumentResult(pages, Timings(), total=0.0), 5.0))
    data[-9] ^= 1
    with pytest.raises(ValueError):
        from_bytes(bytes(data))


def test_key_depends_on_the_digest_and_all_options() -> None:
    key = result_key("digest", {"engine": "a", "pages": None})
    assert key == result_key("digest", {"pages": None, "engine": "a"})
    assert key != result_key("digest2", {"engine": "a", "pages": None})
    assert key != result_key("digest", {"engine": "b", "pages": None})
    assert key != result_key("digest", {"engine": "a"})


async def test_second_request_is_a_cache_hit() -> None:
    cache = ResultCache(10_000, None, HOUR)
    assert await cache.read_once("key", read_at_once()) == (RESULT, False)
    assert await cache.read_once("key", must_not_read()) == (RESULT, True)


async def test_concurrent_equal_requests_are_read_once() -> None:
    cache, reader = ResultCache(10_000, None, HOUR), Reader()
    waiting = [asyncio.create_task(cache.read_once("key", reader)) for _ in range(5)]
    await reader.started.wait()
    reader.may_end.set()
    assert sorted(cached for _, cached in await asyncio.gather(*waiting)) == [False, True, True, True, True]
    assert reader.begun == 1


async def test_cancelled_request_does_not_cancel_the_shared_reading() -> None:
    cache, reader = ResultCache(10_000, None, HOUR), Reader()
    first = asyncio.create_task(cache.read_once("key", reader))
    await reader.started.wait()
    second = asyncio.create_task(cache.read_once("key", must_not_read()))
    await wait_until(lambda: cache.waiting("key") == 2)
    first.cancel()
    await asyncio.wait([first])
    reader.may_end.set()
    assert await second == (RESULT, True)
    assert first.cancelled() and reader.stopped == 0


async def test_reading_is_cancelled_with_the_last_request_and_restarted_for_the_next() -> None:
    cache, reader = ResultCache(10_000, None, HOUR), Reader()
    waiting = [asyncio.create_task(cache.read_once("key", reader)) for _ in range(2)]
    await wait_until(lambda: cache.waiting("key") == 2)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert reader.stopped == 1
    assert await cache.read_once("key", read_at_once()) == (RESULT, False)


async def test_failure_reaches_all_requests_and_is_not_cached() -> None:
    cache, reader = ResultCache(10_000, None, HOUR), Reader(RecognitionFailed("no"))
    waiting = [asyncio.create_task(cache.read_once("key", reader)) for _ in range(3)]
    await reader.started.wait()
    reader.may_end.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RecognitionFailed] * 3
    assert await cache.read_once("key", read_at_once()) == (RESULT, False)


@pytest.mark.parametrize(
    "page",
    [
        replace(PAGE, failure=BrokenDocument("no")),
        replace(PAGE, blocks=(BLOCK, replace(BLOCK, failure=RecognitionFailed("no")))),
    ],
    ids=["page", "block"],
)
async def test_partly_failed_result_is_not_cached(page: PageResult) -> None:
    store = MemoryStorage()
    cache = ResultCache(10_000, store, HOUR)
    failed = DocumentResult((PAGE, page), Timings(), total=0.0)
    assert await cache.read_once("key", read_at_once(failed)) == (failed, False)
    await cache.close()
    assert await cache.get("key") is None and not store.objects


async def test_expired_entry_is_a_cache_miss() -> None:
    clock = Clock()
    cache = ResultCache(10_000, MemoryStorage(), HOUR, clock)
    await cache.put("key", RESULT)
    clock.now += HOUR - 1
    assert await cache.get("key") == RESULT
    clock.now += 1
    assert await cache.get("key") is None


async def test_store_is_shared_between_caches() -> None:
    store = MemoryStorage()
    one = ResultCache(10_000, store, HOUR)
    await one.put("key", RESULT)
    await one.close()
    other = ResultCache(10_000, store, HOUR)
    assert await other.read_once("key", must_not_read()) == (RESULT, True)
    store.objects.clear()
    assert await other.get("key") == RESULT, "the result must be in memory now"


async def test_result_that_is_being_packed_is_found() -> None:
    cache = ResultCache(2**20, None, HOUR)
    cache.put_later("key", RESULT, shared=True)
    found, was_cached = await cache.read_once("key", must_not_read())
    assert (found.pages, was_cached) == (RESULT.pages, True)
    cache.put_pages_later("pages", RESULT.pages, shared=True)
    assert list((await cache.pages("pages")).values()) == list(RESULT.pages)
    assert not cache._new


async def test_close_waits_for_the_store_after_put_later() -> None:
    store = MemoryStorage()
    store.gate.clear()
    one = ResultCache(10_000, store, HOUR)
    one.put_later("key", RESULT, shared=True)
    closing = asyncio.create_task(one.close())
    await store.put_begun.get()
    await asyncio.wait([closing], timeout=0.1)
    store.gate.set()
    await closing
    assert await ResultCache(0, store, HOUR).get("key") == RESULT


async def test_memory_evicts_the_least_recently_used_entry() -> None:
    size = len(to_bytes(RESULT, 1000.0))
    cache = ResultCache(2 * size + size // 2, None, HOUR, Clock())
    for key in ("a", "b"):
        await cache.put(key, RESULT)
    await cache.get("a")
    await cache.put("c", RESULT)
    assert [await cache.get(key) is not None for key in ("a", "b", "c")] == [True, False, True]
    await cache.put("c", RESULT)
    assert await cache.get("a") is not None


async def test_store_is_used_without_a_memory_cache() -> None:
    cache = ResultCache(0, MemoryStorage(), HOUR)
    await cache.put("key", RESULT)
    await cache.close()
    assert await cache.get("key") == RESULT


async def test_result_larger_than_the_memory_evicts_nothing() -> None:
    cache = ResultCache(len(to_bytes(RESULT, 1000.0)), None, HOUR, Clock())
    await cache.put("small", RESULT)
    large = DocumentResult((replace(PAGE, images={"a.jpg": os.urandom(10_000)}),), Timings(), total=0.0)
    await cache.put("large", large)
    assert await cache.get("small") == RESULT and await cache.get("large") is None


async def test_unavailable_store_is_not_used_for_a_while() -> None:
    store = MemoryStorage(trouble=StorageOutage("The storage is away."))
    cache = ResultCache(0, store, HOUR)
    assert await cache.get("key") is None
    store.trouble = None
    await cache.put("key", RESULT)
    await cache.close()
    assert not store.objects, "the store was tried again at once"


async def test_hanging_store_blocks_neither_results_nor_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocr_service.pipeline.cache._CLOSING_SECONDS", 0.05)
    store = MemoryStorage()
    store.gate.clear()
    cache = ResultCache(10_000, store, HOUR)
    async with asyncio.timeout(120):
        assert await cache.read_once("key", read_at_once()) == (RESULT, False)
        assert await cache.read_once("key", must_not_read()) == (RESULT, True)
        await cache.close()
    assert not store.objects


async def test_unavailable_store_or_damaged_entry_is_a_cache_miss(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = ResultCache(0, MemoryStorage(trouble=StorageOutage("The storage is away.")), HOUR)
    assert await away.read_once("key", read_at_once()) == (RESULT, False)
    await away.close()
    damaged = MemoryStorage()
    cache = ResultCache(0, damaged, HOUR)
    await cache.put("key", RESULT)
    await cache.close()
    damaged.objects = {key: body[:-5] for key, body in damaged.objects.items()}
    assert await cache.read_once("key", read_at_once()) == (RESULT, False)
    assert "Договор" not in caplog.text
