"""Admission over HTTP: the backlog, the order of pages, memory limits and request timeouts."""

import asyncio

import httpx
import pytest

from ocr_service.decoding.document import DECODERS
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.fakes.threaded_engine import ThreadedEngine
from tests.http.clock import let_pass
from tests.http.scraping import scrape, until_grown
from tests.http.serving import serving
from tests.samples import pdf_of_text, slow_pdf, small_png
from tests.streams import events_in

pytestmark = pytest.mark.anyio

NDJSON = {"Accept": "application/x-ndjson"}


def reading(client: httpx.AsyncClient, pages: int, **fields: str) -> "asyncio.Task[httpx.Response]":
    files = {"file": pdf_of_text(["a"] * pages)}
    return asyncio.create_task(client.post("/ocr", files=files, data=fields))


async def test_request_beyond_a_full_backlog_is_refused_at_once() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_max_waiting=2) as client:
        # One request takes all slots, two wait.
        requests = [reading(client, 6)]
        for _ in range(engine.max_pages_in_flight):
            await engine.entered.get()
        requests += [reading(client, 1) for _ in range(2)]
        for _ in range(3):
            await engine.accepted.get()
        refused = await client.post("/ocr", files={"file": small_png()})
        health = await client.get("/health")
        for index in range(1, 7):
            engine.open(index)
        answers = [await request for request in requests]
    assert refused.status_code == 503
    assert refused.json()["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert health.status_code == 200
    assert {answer.status_code for answer in answers} == {200}


async def test_pages_of_concurrent_requests_alternate() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_max_pages_in_flight=1) as client:
        first = reading(client, 3)
        order = [await engine.entered.get()]
        await engine.accepted.get()
        second = reading(client, 3, format="text")
        await engine.accepted.get()
        # Then the next page of each document is measured, and waits for the slot.
        while 'ocr_decoders_busy{lane="quick"} 0.0' not in (await client.get("/metrics")).text:
            pass
        for index in (1, 2, 3):
            engine.open(index)
        answers = await asyncio.gather(first, second)
        order += [engine.entered.get_nowait() for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    # Pages of both documents alternate: 1, 1, 2, 2, 3, 3. One page may be queued before the others.
    assert order.index(1, 1) <= 2 and order.index(2, order.index(2) + 1) <= 4, order


async def test_pages_of_one_key_do_not_delay_another() -> None:
    """All slots are taken by pages that take very long, and more of them wait."""
    engine = GatedEngine()
    async with serving(engine, ocr_api_keys="anna,bert", ocr_max_pages_in_flight=2) as client:
        client.headers["X-API-Key"] = "anna"
        long_ones = [reading(client, 3) for _ in range(2)]
        for _ in range(2):
            await engine.entered.get()
        client.headers["X-API-Key"] = "bert"
        other = reading(client, 1)
        # The long pages have both slots, so this is the page of the other caller.
        async with asyncio.timeout(120):
            assert await engine.entered.get() == 1
        for index in (1, 2, 3):
            engine.open(index)
        answers = await asyncio.gather(other, *long_ones)
    assert {answer.status_code for answer in answers} == {200}


async def test_page_beyond_the_pixel_budget_waits() -> None:
    """The budget of a million pixels fits one page of 595 x 842 pixels."""
    engine = GatedEngine()
    async with serving(engine, ocr_max_megapixels_in_flight=1) as client:
        request = reading(client, 2)
        assert await engine.entered.get() == 1
        health = await client.get("/health")
        assert health.status_code == 200
        assert engine.entered.empty()
        engine.open(1)
        assert await engine.entered.get() == 2
        engine.open(2)
        assert (await request).status_code == 200


async def test_document_beyond_the_byte_budget_is_refused() -> None:
    engine = GatedEngine()
    large = small_png() + bytes(700_000)
    async with serving(engine, ocr_max_documents_mb=1) as client:
        first = asyncio.create_task(client.post("/ocr", files={"file": large}))
        await engine.entered.get()
        refused = await client.post("/ocr", files={"file": large})
        engine.open(1)
        assert (await first).status_code == 200
        again = await client.post("/ocr", files={"file": large})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert again.status_code == 200


async def test_request_timeout_returns_504_and_cancels_the_pages() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_request_timeout=60) as client:
        request = reading(client, 3)
        for _ in range(3):
            await engine.entered.get()
        await let_pass(60)
        response = await request
        stopped = [await engine.cancelled.get() for _ in range(3)]
    assert (response.status_code, response.json()["code"]) == (504, "request_timed_out")
    assert sorted(stopped) == [1, 2, 3]


async def test_slot_is_released_when_the_thread_of_the_page_ends() -> None:
    """An earlier release would let abandoned and new pages together exceed the memory limit."""
    engine = ThreadedEngine()
    async with serving(engine) as client:
        timed_out = reading(client, 1, timeout="60")
        assert await engine.entered.get() == 1
        await let_pass(60)
        assert (await timed_out).status_code == 504
        refused = await reading(client, 1, timeout="1")
        assert refused.status_code == 504
        assert engine.entered.empty()
        engine.go_on.set()
        assert (await reading(client, 1)).status_code == 200


async def test_client_may_request_a_shorter_timeout() -> None:
    engine = GatedEngine()
    async with serving(engine) as client:
        response = await reading(client, 1, timeout="1")
    assert response.status_code == 504
    assert "1 s" in response.json()["detail"]


@pytest.mark.parametrize("wrong", ["0", "0.9", "-1", "nan", "inf", "soon"])
async def test_invalid_timeout_is_refused(wrong: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await reading(client, 1, timeout=wrong)
    assert response.status_code == 422
    assert "timeout" in response.json()["detail"]


async def test_timeout_above_the_limit_is_refused() -> None:
    async with serving(ScriptedEngine(), ocr_request_timeout=60) as client:
        refused = await reading(client, 1, timeout="61")
        assert (await reading(client, 1, timeout="60")).status_code == 200
    assert refused.status_code == 422
    assert refused.json()["detail"] == "timeout: the limit is 60 s, the setting OCR_REQUEST_TIMEOUT."


async def test_timeout_ends_the_decoding_of_a_page() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files={"file": slow_pdf()}, data={"timeout": "2"})
    assert response.status_code == 504
    assert DECODERS.quick.taken == DECODERS.slow.taken == 0


async def test_documents_that_take_long_hold_no_slots() -> None:
    """More of them than slots are decoded; another document is read meanwhile."""
    engine = ScriptedEngine()
    async with serving(engine) as client:
        slow = [
            asyncio.create_task(client.post("/ocr", files={"file": slow_pdf()}))
            for _ in range(engine.max_pages_in_flight + 1)
        ]
        async with asyncio.timeout(120):
            while not DECODERS.slow.taken:
                await asyncio.sleep(0.01)
        assert (await reading(client, 1)).status_code == 200
        assert not any(request.done() for request in slow)
        for request in slow:
            request.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_stream_timeout_sends_an_error_event_and_ends() -> None:
    engine = GatedEngine()
    engine.open(1)
    async with serving(engine) as client:
        files = {"file": pdf_of_text(["a"] * 2)}
        stream = client.stream("POST", "/ocr", files=files, data={"timeout": "60"}, headers=NDJSON)
        async with stream as response:
            coming = events_in(response)
            events = [await anext(coming) for _ in range(2)]
            while await engine.entered.get() != 2:
                pass
            await let_pass(60)
            events += [event async for event in coming]
        assert await engine.cancelled.get() == 2
    assert [event["event"] for event in events] == ["start", "page", "error"]
    assert events[-1]["problem"]["code"] == "request_timed_out"


async def test_disconnect_from_a_stream_frees_its_slots() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_max_waiting=1) as client:
        files = {"file": pdf_of_text(["a"] * 9)}
        async with client.stream("POST", "/ocr", files=files, headers=NDJSON) as response:
            lines = response.aiter_lines()
            await anext(lines)
            for _ in range(engine.max_pages_in_flight):
                await engine.entered.get()
        for _ in range(engine.max_pages_in_flight):
            await engine.cancelled.get()
        engine.open(1)
        # The backlog entry is released a moment after the pages end.
        while (answer := await client.post("/ocr", files={"file": small_png()})).status_code == 503:
            pass
        assert answer.status_code == 200
    assert [page.index for page in engine.seen] == [1]


async def test_shared_reading_continues_after_the_first_request_times_out() -> None:
    """Equal documents are read once; a request with a later deadline still gets the result."""
    engine = GatedEngine()
    async with serving(engine, ocr_cache_lifetime=600, ocr_request_timeout=600) as client:
        before = await scrape(client)
        first = reading(client, 1, timeout="60")
        await engine.entered.get()
        second = reading(client, 1)
        await until_grown(client, before, "ocr_cache_lookups_total", {("miss",): 1, ("joined",): 1})
        await let_pass(60)
        assert (await first).status_code == 504
        engine.open(1)
        assert (await second).status_code == 200
    assert [page.index for page in engine.seen] == [1]
