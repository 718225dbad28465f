"""The cache over HTTP: repeated documents, concurrent equal requests, entity tags, and bypass."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from ocr_service.core.errors import BrokenDocument, RecognitionFailed
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.clock import let_pass
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png
from tests.streams import events_of

pytestmark = pytest.mark.anyio

CACHE: dict[str, Any] = {"ocr_cache_lifetime": 3600}
DOCUMENT = {"file": small_png()}


async def read(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, /, **fields: str
) -> httpx.Response:
    return await client.post("/ocr", files=DOCUMENT, data=fields, headers=headers)


async def pages_are_read(client: httpx.AsyncClient, count: int) -> None:
    """Return when so many pages are read; the timeout of pytest bounds the wait."""
    while (await client.get("/health")).json()["recent_pages"]["pages"] < count:
        pass


async def test_repeated_document_is_a_cache_hit_with_its_own_timings() -> None:
    engine = ScriptedEngine()
    async with serving(engine, **CACHE) as client:
        first, second = [(await read(client)).json() for _ in range(2)]
    assert (first["cached"], second["cached"], len(engine.seen)) == (False, True, 1)
    assert second["pages"] == first["pages"] and second["request_id"] != first["request_id"]
    assert [second["timings"][name] for name in ("decode", "queue", "recognize")] == [0, 0, 0]
    assert 0 < second["timings"]["total"] < 10_000


@pytest.mark.parametrize("form", ["markdown", "text"])
async def test_other_formats_are_rendered_from_the_cached_result(form: str) -> None:
    engine = ScriptedEngine()
    async with serving(engine, **CACHE) as client:
        whole = (await read(client)).json()
        assert (await read(client, format=form)).text == whole[form]
    assert len(engine.seen) == 1


async def test_cached_long_document_is_answered_as_it_was_read() -> None:
    engine = ScriptedEngine()
    document = {"file": pdf_of_text([f"line {number}" for number in range(12)])}
    async with serving(engine, MemoryStorage(), **CACHE) as client:
        for form in ("markdown", "text", "html", "json"):
            read, cached = [
                await client.post("/ocr", files=document, data={"format": form, "cache": cache})
                for cache in ("false", "true")
            ]
            assert cached.headers["Content-Length"] == str(len(cached.content))
            if form != "json":
                assert cached.content == read.content
                assert set(cached.headers) - {"etag"} == set(read.headers)
            else:
                assert [cached.json()[name] for name in ("pages", "markdown", "text", "confidence")] == [
                    read.json()[name] for name in ("pages", "markdown", "text", "confidence")
                ]
        assert cached.json()["cached"] and cached.headers["ETag"]
        again = await client.post("/ocr", files=document, headers={"If-None-Match": cached.headers["ETag"]})
    assert again.status_code == 304
    assert len(engine.seen) == 12 * 5


async def test_stream_is_cached_and_served_from_the_cache() -> None:
    engine = ScriptedEngine()
    ndjson = {"Accept": "application/x-ndjson"}
    document = {"file": pdf_of_text(["a", "b"])}
    async with serving(engine, **CACHE) as client:
        streams = [await client.post("/ocr", files=document, headers=ndjson) for _ in range(2)]
        whole = (await client.post("/ocr", files=document)).json()
    first, second = [events_of(stream.text) for stream in streams]
    assert [events[0]["cached"] for events in (first, second)] == [False, True]
    pages = [event["page"] for event in second if event["event"] == "page"]
    assert pages == whole["pages"] == sorted(pages, key=lambda page: int(page["index"]))
    assert whole["cached"] and len(engine.seen) == 2


@pytest.mark.parametrize("fields", [{"lang": "eng"}, {"temperature": "0.5"}], ids=str)
async def test_other_options_are_a_cache_miss(fields: dict[str, str]) -> None:
    engine = ScriptedEngine()
    async with serving(engine, **CACHE) as client:
        await read(client)
        assert (await read(client, **fields)).json()["cached"] is False
    assert len(engine.seen) == 2


async def test_only_the_pages_that_no_earlier_request_had_are_read() -> None:
    engine = ScriptedEngine()
    document = {"file": pdf_of_text(["a"] * 4)}
    async with serving(engine, **CACHE) as client:
        await client.post("/ocr", files=document, data={"pages": "1-3"})
        whole = (await client.post("/ocr", files=document)).json()
    assert sorted(page.index for page in engine.seen) == [1, 2, 3, 4]
    assert (whole["cached"], [page["text"] for page in whole["pages"]]) == (
        False,
        [f"page {i}" for i in range(1, 5)],
    )


@pytest.mark.parametrize("headers", [{}, {"Accept": "application/x-ndjson"}], ids=["whole", "stream"])
@pytest.mark.parametrize("replica", ["same", "other"])
async def test_retry_after_a_timeout_reads_the_missing_pages(headers: dict[str, str], replica: str) -> None:
    storage = MemoryStorage()
    engine = GatedEngine()
    document = {"file": pdf_of_text(["a"] * 3)}
    for index in (1, 3):
        engine.open(index)
    async with serving(engine, storage, **CACHE) as client:
        late = asyncio.create_task(
            client.post("/ocr", files=document, data={"timeout": "60"}, headers=headers)
        )
        assert sorted([await engine.entered.get() for _ in range(3)]) == [1, 2, 3]
        await pages_are_read(client, 2)
        await let_pass(60)
        assert "2 of 3 pages were done" in (await late).text
        if replica == "same":
            engine.open(2)
            again = await client.post("/ocr", files=document, headers=headers)
    if replica == "other":
        engine.open(2)
        async with serving(engine, storage, **CACHE) as client:
            again = await client.post("/ocr", files=document, headers=headers)
    assert again.status_code == 200
    assert all(f"page {index}" in again.text for index in (1, 2, 3))
    assert [await engine.entered.get(), engine.entered.empty()] == [2, True]


async def test_pages_of_a_caller_that_left_are_kept() -> None:
    engine = GatedEngine()
    engine.open(1)
    document = {"file": pdf_of_text(["a"] * 2)}
    async with serving(engine, **CACHE) as client:
        leaving = asyncio.create_task(client.post("/ocr", files=document))
        assert sorted([await engine.entered.get() for _ in range(2)]) == [1, 2]
        await pages_are_read(client, 1)
        leaving.cancel()
        assert await engine.cancelled.get() == 2
        engine.open(2)
        again = await client.post("/ocr", files=document)
    assert [page["text"] for page in again.json()["pages"]] == ["page 1", "page 2"]
    assert [await engine.entered.get(), engine.entered.empty()] == [2, True]


async def test_another_engine_is_a_cache_miss() -> None:
    storage = MemoryStorage()
    for version in (1, 2):
        engine = ScriptedEngine()
        engine.fingerprint = {"script": version}
        async with serving(engine, storage, **CACHE) as client:
            assert (await read(client)).json()["cached"] is False


async def test_cache_false_bypasses_the_cache() -> None:
    engine = ScriptedEngine()
    async with serving(engine, **CACHE) as client:
        unkept = await read(client, cache="false")
        kept = await read(client)
        passed_by = await read(client, cache="false")
    assert [answer.json()["cached"] for answer in (unkept, kept, passed_by)] == [False] * 3
    assert len(engine.seen) == 3 and "etag" not in passed_by.headers


async def test_engine_without_a_fingerprint_is_not_cached() -> None:
    engine = ScriptedEngine()
    engine.fingerprint = None
    async with serving(engine, **CACHE) as client:
        assert [(await read(client)).json()["cached"] for _ in range(2)] == [False, False]


async def test_another_replica_gets_a_cache_hit_from_the_storage() -> None:
    storage, engine = MemoryStorage(), ScriptedEngine()
    async with serving(ScriptedEngine(), storage, **CACHE) as client:
        await read(client)
    async with serving(engine, storage, **CACHE) as client:
        assert (await read(client)).json()["cached"] is True
    assert not engine.seen
    async with serving(ScriptedEngine(), storage, **CACHE, ocr_cache_store=False) as client:
        assert (await read(client)).json()["cached"] is False


@pytest.mark.parametrize("fault", [BrokenDocument("no"), RecognitionFailed("no")], ids=str)
async def test_failed_pages_are_not_cached(fault: Exception) -> None:
    faults: dict[int, BaseException] = {2: fault}
    engine = FaultyEngine(faults)
    document = {"file": pdf_of_text(["a", "b"])}
    async with serving(engine, **CACHE) as client:
        failed = await client.post("/ocr", files=document)
        assert failed.json()["pages"][1]["error"] and "etag" not in failed.headers
        engine.faults = {}
        again = (await client.post("/ocr", files=document)).json()
    assert again["cached"] is False and again["pages"][1]["error"] is None


async def test_concurrent_equal_requests_are_read_once() -> None:
    engine = GatedEngine()
    async with serving(engine, **CACHE) as client:
        reading = [asyncio.create_task(read(client)) for _ in range(5)]
        await engine.entered.get()
        engine.open(1)
        answers = [(await each).json() for each in reading]
    assert len(engine.seen) == 1
    assert sorted(answer["cached"] for answer in answers) == [False, True, True, True, True]


async def test_total_time_includes_the_cache_lookup() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage, **CACHE) as client:
        began = time.perf_counter()
        total = (await read(client)).json()["timings"]["total"]
    assert 0 < total <= (time.perf_counter() - began) * 1e3


async def test_result_with_store_false_is_cached_in_memory_only() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage, **CACHE) as client:
        answers = [(await read(client, store="false")).json() for _ in range(2)]
    assert [answer["cached"] for answer in answers] == [False, True]
    assert not storage.objects


async def test_stream_with_store_false_is_cached_in_memory_only() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage, **CACHE) as client:
        await read(client, {"Accept": "application/x-ndjson"}, store="false")
    assert not storage.objects


async def test_result_with_a_sampling_temperature_is_not_cached() -> None:
    async with serving(ScriptedEngine(), **CACHE) as client:
        answers = [(await read(client, temperature="0.5")).json()["cached"] for _ in range(2)]
    assert answers == [False, False]


@pytest.mark.parametrize(
    "changed", [{"ocr_pdf_dpi": 100}, {"ocr_max_page_megapixels": 7}, {"ocr_max_pages": 7}], ids=str
)
async def test_other_decoding_settings_are_a_cache_miss(changed: dict[str, Any]) -> None:
    storage = MemoryStorage()
    for settings in ({}, changed):
        async with serving(ScriptedEngine(), storage, **CACHE, **settings) as client:
            assert (await read(client)).json()["cached"] is False


async def test_another_release_is_a_cache_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    for version in ("1", "2"):
        monkeypatch.setattr("ocr_service.pipeline.pipeline.__version__", version)
        async with serving(ScriptedEngine(), storage, **CACHE) as client:
            assert (await read(client)).json()["cached"] is False


class TestTags:
    async def test_matching_tag_returns_304(self) -> None:
        engine = ScriptedEngine()
        async with serving(engine, **CACHE) as client:
            first = await read(client)
            tag = first.headers["etag"]
            again = await read(client, {"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert len(engine.seen) == 1

    async def test_matching_tag_returns_304_even_if_the_result_is_not_cached(self) -> None:
        async with serving(ScriptedEngine(), **CACHE) as client:
            tag = (await read(client)).headers["etag"]
        engine = ScriptedEngine()
        async with serving(engine, **CACHE) as client:
            assert (await read(client, {"If-None-Match": tag})).status_code == 304
        assert not engine.seen

    @pytest.mark.parametrize(
        "other", [{"format": "text"}, {"images": "false"}, {"pages": "1"}, {"cache": "false"}], ids=str
    )
    async def test_other_responses_have_other_tags(self, other: dict[str, str]) -> None:
        async with serving(ScriptedEngine(), **CACHE) as client:
            tag = (await read(client)).headers["etag"]
            answer = await read(client, {"If-None-Match": tag}, **other)
        assert answer.status_code == 200 and answer.headers.get("etag") != tag

    async def test_tag_depends_on_the_format_chosen_by_the_accept_header(self) -> None:
        markdown = {"Accept": "text/markdown"}
        async with serving(ScriptedEngine(), **CACHE) as client:
            tag = (await read(client)).headers["etag"]
            other = await read(client, {"If-None-Match": tag, **markdown})
            chosen = await read(client, {"If-None-Match": other.headers["etag"]}, format="markdown")
        assert other.status_code == 200 and other.headers["etag"] != tag
        assert (chosen.status_code, chosen.headers["vary"]) == (304, "Accept")

    async def test_stream_ignores_if_none_match(self) -> None:
        async with serving(ScriptedEngine(), **CACHE) as client:
            tag = (await read(client)).headers["etag"]
            stream = await read(client, {"If-None-Match": tag, "Accept": "application/x-ndjson"})
        assert stream.status_code == 200 and "etag" not in stream.headers

    @pytest.mark.parametrize("header", ['"other"', "", "no tag at all"])
    async def test_unknown_tag_is_ignored(self, header: str) -> None:
        async with serving(ScriptedEngine(), **CACHE) as client:
            assert (await read(client, {"If-None-Match": header})).status_code == 200


async def test_cache_hits_are_stored_too() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage, **CACHE) as client:
        answers: list[dict[str, Any]] = [(await read(client)).json() for _ in range(2)]
    assert [answer["storage"]["status"] for answer in answers] == ["stored", "stored"]
    assert len({answer["storage"]["folder"] for answer in answers}) == 2


@pytest.mark.parametrize(("shared", "readings"), [("false", 2), ("true", 1)])
async def test_cache_belongs_to_an_api_key_unless_it_is_shared(shared: str, readings: int) -> None:
    engine = ScriptedEngine()
    async with serving(engine, **CACHE, ocr_api_keys="one,two", ocr_cache_shared=shared) as client:
        answers = [await read(client, {"X-API-Key": key}) for key in ("one", "one", "two", "two")]
    assert [answer.json()["cached"] for answer in answers] == [False, True, readings == 1, True]
    assert len(engine.seen) == readings
    assert (answers[0].headers["ETag"] == answers[2].headers["ETag"]) is (readings == 1)
