"""Confidence and warnings of pages and documents, in each form of the answer."""

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ocr_service.core.documents import Page, PageResult, PageWarning, WarningCode
from ocr_service.core.errors import RecognitionFailed
from ocr_service.core.options import Options
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.quality_engine import QualityEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.scraping import scrape
from tests.http.serving import serving
from tests.samples import pdf_of_text, pdf_with_broken_page
from tests.streams import events_of

pytestmark = pytest.mark.anyio

FONTS = PageWarning(WarningCode.FONTS_SUBSTITUTED, "Some fonts are replaced.")
LOW = PageWarning(WarningCode.LOW_CONFIDENCE, "The confidence is low.")
LEFT = PageWarning(WarningCode.ROTATED, "Rotated by 90 degrees.")
RIGHT = PageWarning(WarningCode.ROTATED, "Rotated by 270 degrees.")

CACHE: dict[str, Any] = {"ocr_cache_lifetime": 3600}
PDF = pdf_of_text(["a"] * 3)
OF_DOCUMENT = [
    {"code": "rotated", "detail": LEFT.detail, "pages": [1, 3]},
    {"code": "low_confidence", "detail": LOW.detail, "pages": [3]},
    {"code": "fonts_substituted", "detail": FONTS.detail, "pages": [3]},
    {"code": "rotated", "detail": RIGHT.detail, "pages": [3]},
]


def engine() -> QualityEngine:
    """Read three pages: 1 and 3 with warnings, 3 with a low confidence and 2 without any."""
    return QualityEngine({1: 0.9, 3: 0.5}, {1: (LEFT,), 3: (LOW, FONTS, LEFT, FONTS, RIGHT)})


def as_json(*warnings: PageWarning) -> list[dict[str, str]]:
    return [{"code": warning.code.value, "detail": warning.detail} for warning in warnings]


async def read(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, /, **fields: str
) -> httpx.Response:
    return await client.post("/ocr", files={"file": PDF}, data=fields, headers=headers)


async def test_json_has_the_warnings_of_each_page_and_their_union() -> None:
    async with serving(engine()) as client:
        answer = (await read(client)).json()
    assert [page["confidence"] for page in answer["pages"]] == [0.9, None, 0.5]
    assert answer["pages"][0]["warnings"] == as_json(LEFT)
    assert answer["pages"][1]["warnings"] == []
    assert answer["warnings"] == OF_DOCUMENT
    assert answer["confidence"] == 0.7


async def test_confidence_of_the_document_is_weighted_by_the_text() -> None:
    class Uneven(QualityEngine):
        async def recognize(self, page: Page, options: Options) -> PageResult:
            return replace(await super().recognize(page, options), text="a" * page.index)

    async with serving(Uneven({1: 0.2, 3: 0.6}, {})) as client:
        assert (await read(client)).json()["confidence"] == 0.5


async def test_document_without_warnings_says_so() -> None:
    async with serving(ScriptedEngine()) as client:
        answer = (await read(client)).json()
        text = await read(client, format="text")
    assert (answer["confidence"], answer["warnings"]) == (None, [])
    assert not [name for name in text.headers if name.startswith("x-ocr")]


@pytest.mark.parametrize("form", ["markdown", "text"])
async def test_markdown_and_text_have_headers(form: str) -> None:
    async with serving(engine()) as client:
        headers = (await read(client, format=form)).headers
    assert headers["x-ocr-warnings"] == "rotated, low_confidence, fonts_substituted"
    assert headers["x-ocr-confidence"] == "0.7"
    assert "x-ocr-errors" not in headers


async def test_markdown_names_the_errors_of_missing_pages() -> None:
    document = {"file": pdf_with_broken_page(broken=2, count=3)}
    async with serving(ScriptedEngine()) as client:
        answer = await client.post("/ocr", files=document, data={"format": "markdown"})
    assert answer.headers["x-ocr-errors"] == "broken_document"


async def test_stream_has_warnings_in_its_pages_and_at_its_end() -> None:
    async with serving(engine()) as client:
        events = events_of((await read(client, {"Accept": "application/x-ndjson"})).text)
    pages = {event["page"]["index"]: event["page"] for event in events if event["event"] == "page"}
    assert pages[1]["warnings"] == as_json(LEFT)
    assert (pages[3]["confidence"], pages[2]["confidence"]) == (0.5, None)
    assert (events[-1]["confidence"], events[-1]["warnings"]) == (0.7, OF_DOCUMENT)


async def parsed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    body = {"file": b64encode(PDF).decode(), "visualize": False}
    answer = (await client.post("/layout-parsing", json=body)).raise_for_status().json()
    pages: list[dict[str, Any]] = answer["result"]["layoutParsingResults"]
    return pages


async def test_layout_parsing_has_the_warnings_of_each_page() -> None:
    async with serving(engine()) as client:
        results = [page["prunedResult"] for page in await parsed(client)]
    assert results[2]["warnings"] == as_json(LOW, FONTS, LEFT, FONTS, RIGHT)
    assert results[2]["confidence"] == 0.5
    assert not results[1].keys() & {"confidence", "warnings"}


async def test_restructured_pages_keep_their_warnings() -> None:
    async with serving(engine()) as client:
        pages = [{"prunedResult": page["prunedResult"]} for page in await parsed(client)]
        pages[1]["prunedResult"]["warnings"] = [{"code": "unknown to this release", "detail": ""}]
        answer = await client.post("/restructure-pages", json={"pages": pages})
    [first, _, third] = answer.json()["result"]["layoutParsingResults"]
    assert first["prunedResult"]["warnings"] == as_json(LEFT)
    assert third["prunedResult"]["warnings"] == as_json(LOW, FONTS, LEFT, FONTS, RIGHT)


async def test_stored_result_has_the_warnings() -> None:
    storage = MemoryStorage()
    async with serving(engine(), storage) as client:
        folder = (await read(client)).json()["storage"]["folder"]
    stored = json.loads(storage.objects[f"{folder}result.json"])
    assert (stored["confidence"], stored["warnings"]) == (0.7, OF_DOCUMENT)
    assert stored["pages"][0]["warnings"] == as_json(LEFT)


async def test_cached_answers_have_the_same_warnings() -> None:
    reader = engine()
    async with serving(reader, **CACHE) as client:
        first = (await read(client)).json()
        second = (await read(client)).json()
        markdown = await read(client, format="markdown")
        known = await read(client, {"If-None-Match": markdown.headers["etag"]}, format="markdown")
        stream = await read(client, {"Accept": "application/x-ndjson"})
        pages = await parsed(client)
    assert (first["cached"], second["cached"], len(reader.seen)) == (False, True, 3)
    assert [second[name] for name in ("confidence", "warnings", "pages")] == [
        first[name] for name in ("confidence", "warnings", "pages")
    ]
    assert markdown.headers["x-ocr-warnings"] == "rotated, low_confidence, fonts_substituted"
    assert (known.status_code, known.content) == (304, b"")
    assert json.loads(stream.text.splitlines()[-1])["warnings"] == OF_DOCUMENT
    assert pages[0]["prunedResult"]["warnings"] == as_json(LEFT)


async def test_pages_are_counted_by_the_codes_of_their_warnings() -> None:
    async with serving(engine(), **CACHE) as client:
        before = await scrape(client)
        assert {code for (code,) in before.of("ocr_page_warnings_total")} == set(WarningCode)
        for _ in range(2):
            await read(client)
        after = await scrape(client)
    assert after.since(before, "ocr_page_warnings_total") == {
        ("rotated",): 2,
        ("fonts_substituted",): 1,
        ("low_confidence",): 1,
    }
    assert after.since(before, "ocr_doubtful_pages_total") == {(): 1}


async def test_log_line_counts_doubtful_pages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ocr_service")
    async with serving(engine()) as client:
        await read(client)
    [line] = [record for record in caplog.records if record.name == "ocr_service.access"]
    assert vars(line)["fields"]["doubtful_pages"] == 1


class Degrading(QualityEngine):
    """Reads pages with low confidence, or not at all, from page 17 on."""

    def __init__(self) -> None:
        numbers = range(1, 21)
        super().__init__(dict.fromkeys(numbers, 0.9), dict.fromkeys(numbers, (LEFT,)))
        self.warnings = {**self.warnings, **dict.fromkeys(range(17, 20), (LOW, LEFT))}

    async def recognize(self, page: Page, options: Options) -> PageResult:
        if page.index == 20:
            raise RecognitionFailed("No.")
        return await super().recognize(page, options)


async def test_health_shows_the_share_of_bad_pages_but_stays_ready() -> None:
    async with serving(Degrading()) as client:

        async def quality() -> dict[str, Any]:
            recent: dict[str, Any] = (await client.get("/health")).json()["recent_pages"]
            return recent

        await client.post("/ocr", files={"file": pdf_of_text(["a"] * 19)})
        few = await quality()
        await client.post("/ocr", files={"file": pdf_of_text(["a"])})
        good = await quality()
        await client.post("/ocr", files={"file": pdf_of_text(["a"] * 20)}, data={"pages": "17-20"})
        bad = await quality()
        ready = await client.get("/health/ready")
    assert [(each["state"], each["pages"]) for each in (few, good, bad)] == [
        ("unknown", 19),
        ("good", 20),
        ("bad", 24),
    ]
    assert (few["bad_share"], bad["bad_share"], bad["failed_pages"]) == (0.158, 0.292, 1)
    assert bad["warnings"] == {"rotated": 23, "low_confidence": 6}
    assert bad["confidence"] == 0.9
    assert ready.status_code == 200
