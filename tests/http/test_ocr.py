import asyncio
from typing import Any

import httpx
import pytest
from PIL import Image

from ocr_service.core.errors import EngineUnavailable, RecognitionFailed
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import encoded, pdf_of_text, pdf_with_broken_page, small_png

pytestmark = pytest.mark.anyio


def upload(data: bytes, name: str = "scan.png") -> dict[str, tuple[str, bytes]]:
    return {"file": (name, data)}


async def test_json_response_has_all_documented_fields() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(small_png()))
    assert response.status_code == 200
    answer = response.json()
    timings = answer.pop("timings")
    assert answer == {
        "request_id": response.headers["x-request-id"],
        "engine": {"name": "scripted", "version": "1.2.3"},
        "cached": False,
        "pages": [
            {
                "index": 1,
                "width": 40,
                "height": 30,
                "rotation": 0,
                "markdown": "**page 1**",
                "text": "page 1",
                "blocks": [
                    {
                        "label": "text",
                        "bbox": [1, 2, 3, 4],
                        "content": "page 1",
                        "order": 1,
                        "confidence": 0.5,
                        "error": None,
                    }
                ],
                "images": {},
                "source": "ocr",
                "confidence": None,
                "warnings": [],
                "error": None,
            }
        ],
        "markdown": "**page 1**",
        "text": "page 1",
        "confidence": None,
        "warnings": [],
        "storage": {
            "status": "disabled",
            "kind": None,
            "bucket": None,
            "folder": None,
            "files": [],
            "error": None,
        },
    }
    assert set(timings) == {"decode", "queue", "recognize", "total"}
    assert 0 < timings["decode"] <= timings["total"]


async def test_pages_are_ordered_and_joined() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 7)))
    answer = response.json()
    assert [page["index"] for page in answer["pages"]] == [1, 2, 3, 4, 5, 6, 7]
    assert answer["text"] == "\n\n".join(f"page {n}" for n in range(1, 8))
    assert answer["markdown"].startswith("**page 1**\n\n**page 2**")


@pytest.mark.parametrize("where", ["form", "query"])
async def test_fields_are_read_from_the_form_or_the_query(where: str) -> None:
    engine = ScriptedEngine()
    fields = {"pages": "2-3,5", "lang": "eng", "format": "text"}
    sent: dict[str, Any] = {"data": fields} if where == "form" else {"params": fields}
    async with serving(engine) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 6)), **sent)
    assert response.text == "page 2\n\npage 3\n\npage 5"
    assert {options.lang for options in engine.options} == {"eng"}


async def test_empty_fields_are_ignored() -> None:
    """A browser form sends empty fields too."""
    engine = ScriptedEngine()
    async with serving(engine) as client:
        fields = {"pages": "", "lang": "", "format": ""}
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 2)), data=fields)
    assert len(response.json()["pages"]) == 2
    assert engine.options[0].lang is None


async def test_form_takes_precedence_over_the_query() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files=upload(small_png()), data={"format": "text"}, params={"format": "markdown"}
        )
    assert response.text == "page 1"


@pytest.mark.parametrize(
    ("format_name", "media_type", "body"),
    [
        ("markdown", "text/markdown; charset=utf-8", "**page 1**"),
        ("text", "text/plain; charset=utf-8", "page 1"),
    ],
)
async def test_markdown_and_text_formats(format_name: str, media_type: str, body: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(small_png()), data={"format": format_name})
    assert response.headers["content-type"] == media_type
    assert response.text == body


JSON, MARKDOWN, TEXT = "application/json", "text/markdown; charset=utf-8", "text/plain; charset=utf-8"
NDJSON = "application/x-ndjson"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("text/markdown", MARKDOWN),
        ("Text/Markdown; charset=utf-8", MARKDOWN),
        ("text/plain", TEXT),
        ("text/*", MARKDOWN),
        # Defaults of axios, Spring, Java and a browser.
        ("application/json, text/plain, */*", JSON),
        ("text/plain, */*", JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", JSON),
        # Quality values.
        ("text/markdown, */*;q=0.1", MARKDOWN),
        ("text/plain;q=0.4, text/markdown;q=0.5", MARKDOWN),
        ("text/markdown;q=0.4, application/json;q=0.5", JSON),
        ("text/markdown;q=0.4, text/*;q=0.5", TEXT),
        ("application/json;q=0, text/plain;q=0.001", TEXT),
        ("text/markdown, application/x-ndjson;q=0.5", MARKDOWN),
        ("text/markdown;q=0.4, application/x-ndjson;q=0.5", NDJSON),
        # No supported media type, and no valid quality value.
        ("text/html", JSON),
        ("text/markdown;q=0", JSON),
        ("application/json;q=0", JSON),
        ("text/markdown;q=much, application/json;q=0.9", MARKDOWN),
        ("text/markdown;q=., */*;q=0.9", MARKDOWN),
        (",;q=0.5,", JSON),
    ],
)
async def test_accept_header_chooses_the_format(accept: str, media_type: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(small_png()), headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["vary"] == "Accept"


async def test_several_accept_headers_are_combined() -> None:
    async with serving(ScriptedEngine()) as client:
        accept = [("Accept", "application/json;q=0.5"), ("Accept", "text/markdown")]
        response = await client.post("/ocr", files=upload(small_png()), headers=accept)
    assert response.headers["content-type"] == MARKDOWN


@pytest.mark.parametrize("field", ["body", "query"])
async def test_format_takes_precedence_over_the_accept_header(field: str) -> None:
    sent: dict[str, Any] = {"data" if field == "body" else "params": {"format": "json"}}
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files=upload(small_png()), headers={"Accept": "text/markdown"}, **sent
        )
    assert response.headers["content-type"] == JSON


async def test_document_type_is_detected_from_the_content() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(small_png(), "report.docx"))
    assert response.status_code == 200


async def test_pdf_resolution_comes_from_the_engine_or_the_setting() -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        await client.post("/ocr", files=upload(pdf_of_text(["a"], size=(100, 200))))
    async with serving(engine, ocr_pdf_dpi=144) as client:
        await client.post("/ocr", files=upload(pdf_of_text(["a"], size=(100, 200))))
    assert [page.image.size for page in engine.seen] == [(100, 200), (200, 400)]
    assert [page.resolution for page in engine.seen] == [72, 144]


async def test_damaged_page_fails_only_itself() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(pdf_with_broken_page(broken=2, count=3)))
    assert response.status_code == 200
    first, second, third = response.json()["pages"]
    assert first["text"] == "page 1" and first["error"] is None
    assert third["text"] == "page 3" and third["error"] is None
    assert second["error"]["code"] == "broken_document"
    assert (second["text"], second["blocks"], second["width"]) == ("", [], 0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(RecognitionFailed("No."), "recognition_failed"), (KeyError("secret"), "recognition_failed")],
)
async def test_recognition_error_fails_only_its_page(fault: Exception, code: str) -> None:
    async with serving(FaultyEngine({2: fault})) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 3)))
    assert [page["error"] and page["error"]["code"] for page in response.json()["pages"]] == [
        None,
        code,
        None,
    ]
    assert "secret" not in response.text


async def test_document_without_readable_pages_returns_the_error_of_the_first_page() -> None:
    faults: dict[int, Exception] = {1: RecognitionFailed("First."), 2: RecognitionFailed("Second.")}
    async with serving(FaultyEngine(faults)) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 2)))
    assert response.status_code == 500
    assert response.json()["detail"] == "First."


async def test_unavailable_engine_fails_the_whole_document() -> None:
    async with serving(FaultyEngine({2: EngineUnavailable("Gone.", retry_after=3)})) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 3)))
        after = await client.post("/ocr", files=upload(small_png()))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "3"
    assert after.status_code == 200


async def test_slots_are_released_after_failures() -> None:
    engine = FaultyEngine({1: EngineUnavailable("Gone.")})
    async with serving(engine) as client:
        for _ in range(3 * engine.max_pages_in_flight):
            response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 9)))
            assert response.status_code == 503
        engine.faults = {}
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 9)))
    assert response.status_code == 200


async def test_concurrent_requests_get_their_own_pages() -> None:
    async def read(client: httpx.AsyncClient, count: int) -> int:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * count)))
        return len(response.json()["pages"])

    async with serving(ScriptedEngine()) as client:
        counts = await asyncio.gather(*(read(client, n) for n in range(1, 13)))
    assert counts == list(range(1, 13))


async def test_waiting_time_is_reported_as_queue() -> None:
    engine = GatedEngine()
    async with serving(engine) as client:
        first = asyncio.create_task(client.post("/ocr", files=upload(pdf_of_text(["a"] * 4))))
        for _ in range(engine.max_pages_in_flight):
            await engine.entered.get()
        await engine.accepted.get()
        second = asyncio.create_task(client.post("/ocr", files=upload(small_png())))
        await engine.accepted.get()
        # Its page waits for a slot after some steps of the event loop.
        for _ in range(20):
            await asyncio.sleep(0)
        # Not for synchronisation: most of this is the queue time that the response must report.
        await asyncio.sleep(0.5)
        for index in range(1, 5):
            engine.open(index)
        timings = (await second).json()["timings"]
        await first
    assert 200 <= timings["queue"] <= timings["total"]


async def test_page_cancelled_by_the_engine_does_not_block_the_request() -> None:
    async with serving(FaultyEngine({2: asyncio.CancelledError()})) as client:
        response = await client.post("/ocr", files=upload(pdf_of_text(["a"] * 3)))
    assert response.status_code == 503


async def test_html_is_one_file_with_the_name_of_the_document() -> None:
    async with serving(ScriptedEngine()) as client:
        chosen = await client.post("/ocr", files=upload(small_png(), "a<b.png"), data={"format": "html"})
    assert chosen.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>a&lt;b.png</title>" in chosen.text and "<strong>page 1</strong>" in chosen.text
    assert chosen.headers["content-security-policy"].startswith("default-src 'none'")


async def test_every_image_type_is_read() -> None:
    image = Image.new("RGB", (64, 48), "white")
    engine = ScriptedEngine()
    async with serving(engine) as client:
        for format_name in ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "HEIF", "AVIF", "JPEG2000"):
            response = await client.post("/ocr", files=upload(encoded(image, format_name)))
            assert response.status_code == 200, format_name
    assert {page.image.size for page in engine.seen} == {(64, 48)}


async def test_engine_is_closed_with_the_service() -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        await client.get("/health")
    assert engine.closed
