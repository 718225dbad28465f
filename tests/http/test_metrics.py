"""Metrics of the service, one cause per test."""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.registry import Collector

from ocr_service import __version__
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.engine import EngineState, VlmState, VlmStatus
from ocr_service.core.errors import EngineUnavailable, PartlyRecognized, RecognitionFailed, StorageOutage
from ocr_service.core.options import Options
from ocr_service.telemetry.metrics import REGISTRY
from tests.fakes.absent_engine import AbsentEngine
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.scraping import scrape, until_grown
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

CACHE: dict[str, Any] = {"ocr_cache_lifetime": 3600}
AWAY = StorageOutage("The storage is away.")


async def read(client: httpx.AsyncClient, pages: int = 1) -> httpx.Response:
    return await client.post("/ocr", files={"file": pdf_of_text(["a"] * pages)})


async def test_series_of_the_alerts_exist_before_the_first_request() -> None:
    class Unused(ScriptedEngine):
        name = "unused"

    async with serving(Unused()) as client:
        seen = await scrape(client)
        paths = (await client.get("/openapi.json")).json()["paths"]
    reading = {path for path, methods in paths.items() if "post" in methods}
    requests = seen.of("ocr_requests_total").items()
    counts = {(route, status): count for (engine, route, status), count in requests if engine == "unused"}
    assert {route for route, _ in counts} == reading
    assert {status for _, status in counts} > {"200", "304", "499", "500", "503", "504"}
    assert set(counts.values()) == {0}
    for name in ("pages", "blocks", "cache_lookups", "documents_stored"):
        assert seen.of(f"ocr_{name}_total")
    assert seen.of("ocr_request_duration_seconds_count")


async def test_scrapes_are_encoded_one_at_a_time() -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    class Slow(Collector):
        def collect(self) -> Iterable[Metric]:
            begun.release()
            may_end.wait()
            return ()

    slow = Slow()
    async with serving(ScriptedEngine()) as client:
        REGISTRY.register(slow)
        try:
            scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(3)]
            await asyncio.to_thread(begun.acquire)
            for _ in range(3):
                assert (await client.get("/health/live")).status_code == 200
            assert not begun.acquire(blocking=False)
            may_end.set()
            assert {answer.status_code for answer in await asyncio.gather(*scrapes)} == {200}
        finally:
            may_end.set()
            REGISTRY.unregister(slow)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/version", "/version", 200),
        ("GET", "/no/such/path", "other", 404),
        ("GET", "/static-offline-docs/swagger-ui.css", "other", 200),
        ("DELETE", "/ocr", "/ocr", 405),
        ("TRACE", "/missing", "other", 404),
    ],
)
async def test_request_labels_contain_nothing_that_a_client_chooses(
    method: str, path: str, route: str, status: int
) -> None:
    async with serving(ScriptedEngine()) as client:
        before = await scrape(client)
        await client.request(method, path)
        after = await until_grown(client, before, "ocr_requests_total", {("", route, str(status)): 1})
    assert not after.since(before, "ocr_request_duration_seconds_count"), "no document was read"


async def test_latency_counts_only_documents_that_were_read() -> None:
    async with serving(ScriptedEngine()) as client:
        before = await scrape(client)
        await read(client)
        await client.post("/ocr", files={"file": b"no document"})
        await client.get("/health")
        sizes = {(): 2.0}
        await until_grown(client, before, "ocr_document_size_bytes_count", sizes)
        after = await until_grown(client, before, "ocr_request_duration_seconds_count", {("/ocr",): 1})
    assert after.since(before, "ocr_request_duration_seconds_bucket")[("+Inf", "/ocr")] == 1
    assert after.since(before, "ocr_request_duration_seconds_sum")[("/ocr",)] > 0


class _Partly(FaultyEngine):
    """Fails for chosen pages, and reads the other pages partly."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        read = await super().recognize(page, options)
        [block] = read.blocks
        failed = replace(block, content="", failure=PartlyRecognized("Not read."))
        return replace(read, blocks=(block, failed, failed))


async def test_pages_and_blocks_are_counted_by_result() -> None:
    async with serving(_Partly({2: RecognitionFailed("No."), 3: ZeroDivisionError()})) as client:
        before = await scrape(client)
        await read(client, pages=4)
        after = await scrape(client)
    assert after.since(before, "ocr_pages_total") == {("partly",): 2, ("failed",): 2}
    assert after.since(before, "ocr_blocks_total") == {("read",): 2, ("failed",): 4}
    for stage in ("queue", "decode", "recognition"):
        assert after.since(before, f"ocr_page_{stage}_duration_seconds_count") == {(): 2}
    assert after.since(before, "ocr_page_decode_duration_seconds_sum")[()] > 0


async def test_page_of_an_unavailable_engine_is_counted_as_failed() -> None:
    async with serving(FaultyEngine({1: EngineUnavailable("Gone.")})) as client:
        before = await scrape(client)
        assert (await read(client)).status_code == 503
        assert (await scrape(client)).since(before, "ocr_pages_total") == {("failed",): 1}


async def test_pages_in_flight_and_dropped_pages_are_counted() -> None:
    engine = GatedEngine()
    async with serving(engine) as client:
        before = await scrape(client)
        request = asyncio.create_task(read(client, pages=2))
        await engine.entered.get()
        await engine.entered.get()
        during = await scrape(client)
        assert during.of("ocr_pages_in_flight") == {(): 2}
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        await until_grown(client, before, "ocr_pages_total", {("dropped",): 2})
        await until_grown(client, during, "ocr_pages_in_flight", {(): -2})
        await until_grown(client, before, "ocr_requests_total", {("scripted", "/ocr", "499"): 1})


async def test_waiting_and_refused_requests_are_counted() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_max_pages_in_flight=1, ocr_max_waiting=1) as client:
        before = await scrape(client)
        assert before.of("ocr_requests_refused_total") == {("overloaded",): 0, ("draining",): 0}
        reading = [asyncio.create_task(read(client, pages=2))]
        await engine.entered.get()
        reading.append(asyncio.create_task(read(client)))
        # A request waits from the arrival of its document; its pages count when it is open.
        during = await until_grown(client, before, "ocr_pages_ahead", {(): 3})
        assert (await read(client)).status_code == 503
        refused = {("overloaded",): 1.0}
        assert (await scrape(client)).since(before, "ocr_requests_refused_total") == refused
        for index in (1, 2):
            engine.open(index)
        await asyncio.gather(*reading)
        await until_grown(client, during, "ocr_requests_in_flight", {(): -2})
    seen = {name: during.of(f"ocr_{name}")[()] for name in ("requests_waiting", "pages_in_flight")}
    assert seen == {"requests_waiting": 1, "pages_in_flight": 1}
    for name in ("requests_waiting", "pages_in_flight"):
        assert during.of(f"ocr_{name}_limit") == {(): 1}
    assert 0 < during.of("ocr_pixels_in_flight")[()] < during.of("ocr_pixels_in_flight_limit")[()]
    assert 0 < during.of("ocr_documents_held_bytes")[()] < during.of("ocr_documents_held_limit_bytes")[()]


async def test_cache_lookups_are_counted_by_result() -> None:
    engine, storage = GatedEngine(), MemoryStorage()
    async with serving(engine, storage, **CACHE) as client:
        before = await scrape(client)
        assert before.of("ocr_cache_memory_bytes") == {(): 0}
        first = asyncio.create_task(read(client))
        await engine.entered.get()
        second = asyncio.create_task(read(client))
        await until_grown(client, before, "ocr_cache_lookups_total", {("miss",): 1, ("joined",): 1})
        engine.open(1)
        await asyncio.gather(first, second)
        while not (await storage.stored.get()).startswith("ocr/cache/"):
            pass
        await read(client)
        after = await scrape(client)
        found = {("miss",): 1.0, ("joined",): 1.0, ("memory",): 1.0}
        assert after.since(before, "ocr_cache_lookups_total") == found
        assert after.of("ocr_cache_memory_bytes")[()] > 0
    async with serving(engine, storage, **CACHE) as client:
        before = await scrape(client)
        await read(client)
        assert (await scrape(client)).since(before, "ocr_cache_lookups_total") == {("store",): 1}


async def test_stored_documents_are_counted_by_status(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        before = await scrape(client)
        await read(client)
        waiting = await scrape(client)
        assert waiting.since(before, "ocr_documents_stored_total") == {("pending",): 1}
        assert waiting.of("ocr_spool_documents") == {(): 1}
        assert 0 < waiting.of("ocr_spool_bytes")[()] < waiting.of("ocr_spool_limit_bytes")[()]
        assert waiting.of("ocr_storage_up") == {(): 0}
        storage.trouble = None
        await until_grown(client, waiting, "ocr_spool_documents", {(): -1})
        await read(client)
        after = await scrape(client)
        assert after.since(waiting, "ocr_documents_stored_total") == {("stored",): 1}
        assert after.since(before, "ocr_storing_duration_seconds_count") == {(): 2}
        assert after.of("ocr_storage_up") == {(): 1}
    async with serving(ScriptedEngine(), MemoryStorage(AWAY)) as client:
        await read(client)
        assert (await scrape(client)).since(after, "ocr_documents_stored_total") == {("failed",): 1}


async def test_absent_parts_have_no_values() -> None:
    async with serving(ScriptedEngine()) as client:
        seen = await scrape(client)
    for name in (
        "storage_up",
        "spool_documents",
        "vlm_up",
        "vlm_state",
        "cache_memory_bytes",
        "gpu_utilization_ratio",
    ):
        assert f"# TYPE ocr_{name} gauge" in seen.text
        assert not seen.of(f"ocr_{name}")


@pytest.mark.parametrize("state", [VlmState.READY, VlmState.STARTING, VlmState.UNAVAILABLE])
async def test_vlm_state_is_exported(state: VlmState) -> None:
    engine = ScriptedEngine()
    servers = VlmStatus(state, "http://a/v1"), VlmStatus(VlmState.READY, "http://b/v1")
    engine.vlm = VlmStatus(VlmState.READY, "http://b/v1", servers=servers)
    async with serving(engine) as client:
        seen = await scrape(client)
    assert seen.of("ocr_vlm_up") == {("http://a/v1",): float(state is VlmState.READY), ("http://b/v1",): 1}
    current = {tuple(series) for series, value in seen.of("ocr_vlm_state").items() if value}
    assert current == {("http://a/v1", state), ("http://b/v1", "ready")}


async def test_engine_and_version_are_exported() -> None:
    async with serving(AbsentEngine()) as client:
        seen = await scrape(client)
    assert seen.of("ocr_engine_state") == {(state,): float(state == "unavailable") for state in EngineState}
    [(_, _, _, version)] = seen.of("ocr_build_info")
    assert version == __version__
    assert seen.of("process_resident_memory_bytes")[()] > 2**20


async def test_two_services_of_one_process_show_separate_gauges() -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage) as one, serving(AbsentEngine()) as other:
        await one.post("/ocr", files={"file": small_png()})
        assert (await scrape(one)).of("ocr_storage_up") == {(): 0}
        assert not (await scrape(other)).of("ocr_storage_up")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text; version=x", "text/plain; version=0.0.4"),
    ],
)
async def test_metrics_format_follows_the_accept_header(accept: str, form: str) -> None:
    async with serving(ScriptedEngine()) as client:
        answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(form)
    if "openmetrics" in form:
        families = openmetrics(answer.text)  # type: ignore[no-untyped-call]
        assert "ocr_pages" in {family.name for family in families}
