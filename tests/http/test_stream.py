import asyncio
import json
import time

import pytest

from ocr_service.api.routes import stream
from ocr_service.core.errors import EngineUnavailable
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, pdf_with_broken_page, small_png
from tests.streams import events_in, events_of

pytestmark = pytest.mark.anyio

NDJSON = {"Accept": "application/x-ndjson"}


async def test_each_page_is_sent_when_it_is_done() -> None:
    engine = GatedEngine()
    async with serving(engine) as client:
        files = {"file": pdf_of_text(["a"] * 3)}
        async with client.stream("POST", "/ocr", files=files, headers=NDJSON) as response:
            assert response.headers["content-type"] == "application/x-ndjson"
            lines = events_in(response)
            start = await anext(lines)
            assert start == {
                "event": "start",
                "request_id": response.headers["x-request-id"],
                "engine": {"name": "scripted", "version": "1.2.3"},
                "page_count": 3,
                "cached": False,
            }
            # Page 3 arrives while pages 1 and 2 are still being read.
            for index in (3, 1, 2):
                engine.open(index)
                line = await anext(lines)
                assert (line["event"], line["page"]["index"]) == ("page", index)
                assert line["page"]["text"] == f"page {index}"
            end = await anext(lines)
    assert end["event"] == "end"
    assert end["failed_pages"] == []
    assert set(end["timings"]) == {"decode", "queue", "recognize", "total"}


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("application/x-ndjson", True),
        ("application/json, Application/X-NDJSON;q=0.5", True),
        ("application/x-ndjson;q=0, */*", False),
        ("application/x-ndjson; q=0.00", False),
        ("*/*", False),
        ("", False),
    ],
)
async def test_stream_is_chosen_by_the_accept_header(accept: str, streams: bool) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files={"file": small_png()}, headers={"Accept": accept})
    assert (response.headers["content-type"] == "application/x-ndjson") is streams


async def test_failed_page_is_an_event_with_its_error() -> None:
    async with serving(ScriptedEngine()) as client:
        files = {"file": pdf_with_broken_page(2, 3)}
        response = await client.post("/ocr", files=files, headers=NDJSON)
    lines = events_of(response.text)
    errors = {line["page"]["index"]: line["page"]["error"] for line in lines if line["event"] == "page"}
    assert errors[2]["code"] == "broken_document"
    assert errors[1] is None and errors[3] is None
    assert lines[-1]["failed_pages"] == [2]


async def test_aborted_stream_ends_with_an_error_event() -> None:
    async with serving(FaultyEngine({1: EngineUnavailable("Gone.")})) as client:
        response = await client.post("/ocr", files={"file": small_png()}, headers=NDJSON)
    last = json.loads(response.text.splitlines()[-1])
    assert last["event"] == "error"
    assert last["problem"]["code"] == "engine_unavailable"
    assert last["problem"]["request_id"] == response.headers["x-request-id"]


async def test_silent_stream_sends_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways end connections that are silent."""
    monkeypatch.setattr(stream, "_SILENT_SECONDS", 0.01)
    engine = GatedEngine()
    async with serving(engine) as client:
        files = {"file": small_png()}
        async with client.stream("POST", "/ocr", files=files, headers=NDJSON) as response:
            assert response.headers["x-accel-buffering"] == "no"
            lines = response.aiter_lines()
            assert json.loads(await anext(lines))["event"] == "start"
            assert [await anext(lines) for _ in range(2)] == ["", ""]
            engine.open(1)
            rest = [json.loads(line)["event"] async for line in lines if line]
    assert rest == ["page", "end"]


class _SlowlyStartedEngine(ScriptedEngine):
    start_seconds = 0.0

    async def start(self) -> None:
        began = time.perf_counter()
        await asyncio.sleep(0.2)
        self.start_seconds = time.perf_counter() - began


@pytest.mark.parametrize("headers", [NDJSON, {}], ids=["stream", "json"])
async def test_total_includes_the_start_of_the_engine(headers: dict[str, str]) -> None:
    engine = _SlowlyStartedEngine()
    async with serving(engine) as client:
        response = await client.post("/ocr", files={"file": small_png()}, headers=headers)
    total = json.loads(response.text.splitlines()[-1])["timings"]["total"]
    assert total >= round(engine.start_seconds * 1000, 1)


async def test_format_takes_precedence_over_the_accept_header() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files={"file": small_png()}, data={"format": "text"}, headers=NDJSON
        )
    assert response.text == "page 1"


@pytest.mark.parametrize("headers", [NDJSON, {}], ids=["stream", "json"])
async def test_disconnect_cancels_the_pages(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ocr_service")
    engine = GatedEngine()
    async with serving(engine) as client:
        files = {"file": pdf_of_text(["a"] * 20)}
        request = asyncio.create_task(client.post("/ocr", files=files, headers=headers))
        begun = {await engine.entered.get() for _ in range(engine.max_pages_in_flight)}
        request.cancel()
        stopped = {await engine.cancelled.get() for _ in begun}
        assert stopped == begun
        for index in range(1, 21):
            engine.open(index)
        # The slots are free again, and no waiting page of the first request was started.
        response = await client.post("/ocr", files={"file": pdf_of_text(["a"] * 20)})
    assert response.status_code == 200
    assert len(engine.seen) == 20
    assert "failed" not in caplog.text, "a disconnect is not an error of the service"
    access = [record.getMessage() for record in caplog.records if record.name == "ocr_service.access"]
    assert [line.split()[2] for line in access] == ["499", "200"]


async def test_pages_of_concurrent_requests_alternate() -> None:
    """A one-page request does not wait for all pages of a long document."""
    engine = GatedEngine()
    async with serving(engine) as client:
        long = asyncio.create_task(client.post("/ocr", files={"file": pdf_of_text(["a"] * 30)}))
        begun = [await engine.entered.get() for _ in range(engine.max_pages_in_flight)]
        # They are decoded in processes, side by side.
        assert sorted(begun) == [1, 2, 3, 4]
        await engine.accepted.get()
        short = asyncio.create_task(client.post("/ocr", files={"file": small_png()}))
        await engine.accepted.get()
        # The pages that follow are decoded side by side as well, so some may come before it.
        followed = [0]
        while followed[-1] != 1:
            assert len(followed) < 10, followed
            engine.open(len(followed))
            followed.append(await engine.entered.get())
        assert (await short).status_code == 200
        assert not long.done()
        for index in range(1, 31):
            engine.open(index)
        assert len((await long).json()["pages"]) == 30
