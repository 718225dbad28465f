"""Documents by URL over HTTP, in three kinds of request body."""

import asyncio
import gzip
from typing import Any

import httpx
import pytest

from ocr_service.core.engine import Engine
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.clock import let_pass
from tests.http.peers import Peer, answer, by_path, no_reply, peer, reply_with
from tests.http.scraping import Scrape, scrape
from tests.http.serving import serving
from tests.http.test_errors import assert_problem
from tests.samples import pdf_of_text, small_png
from tests.streams import events_of

pytestmark = pytest.mark.anyio

MIB = 2**20


def open_to(other: Peer, **settings: Any) -> dict[str, Any]:
    return {"ocr_url_allowlist": "127.0.0.1", "ocr_url_ports": f"443,{other.port}", **settings}


async def post(other: Peer, engine: Engine | None = None, /, **request: Any) -> httpx.Response:
    async with serving(engine or ScriptedEngine(), **open_to(other)) as client:
        return await client.post("/ocr", **request)


def forms(fields: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"data": fields},
        {"files": {name: (None, value) for name, value in fields.items()}},
        {"json": fields},
    ]


@pytest.mark.parametrize("form", range(3), ids=["urlencoded", "multipart", "JSON"])
async def test_document_is_fetched_from_its_url(form: int) -> None:
    engine = ScriptedEngine()
    async with peer(reply_with(answer(pdf_of_text(["a"] * 3)))) as other:
        fields = {"image_url": f" {other.url}/a.pdf?x=1 ", "pages": "2-3", "lang": "eng", "format": "text"}
        response = await post(other, engine, **forms(fields)[form])
    assert response.text == "page 2\n\npage 3"
    assert engine.options[0].lang == "eng"


async def test_json_values_are_parsed_like_form_fields() -> None:
    engine = ScriptedEngine()
    fields: dict[str, Any] = {
        "pages": 2,
        "lang": None,
        "images": False,
        "use_layout_detection": True,
        "layout_threshold": {"1": 0.5},
        "layout_unclip_ratio": [1.5, 2],
        "markdown_ignore_labels": ["footer", "header"],
        "temperature": 0.25,
    }
    async with peer(reply_with(answer(pdf_of_text(["a"] * 3)))) as other:
        response = await post(other, engine, json={"image_url": f"{other.url}/", **fields})
    assert [page["index"] for page in response.json()["pages"]] == [2]
    [options] = engine.options
    own = PaddleOcrVlOptions.of(options)
    assert (options.lang, own.use_layout_detection, own.temperature) == (None, True, 0.25)
    assert own.layout_threshold == {1: 0.5}
    assert own.layout_unclip_ratio == (1.5, 2)
    assert own.markdown_ignore_labels == ("footer", "header")


async def test_fetched_document_is_streamed() -> None:
    async with peer(reply_with(answer(small_png()))) as other:
        headers = {"Accept": "application/x-ndjson"}
        response = await post(other, data={"image_url": f"{other.url}/"}, headers=headers)
    assert [event["event"] for event in events_of(response.text)] == ["start", "page", "end"]


async def test_slow_download_does_not_count_towards_the_request_timeout() -> None:
    async def slowly(_: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(await scrape(client))
        await let_pass(70)
        writer.write(answer(small_png()))
        await writer.drain()

    seen: list[Scrape] = []
    patient = {"ocr_url_read_timeout": 100, "ocr_url_timeout": 100}
    async with peer(slowly) as other, serving(ScriptedEngine(), **open_to(other, **patient)) as client:
        response = await client.post("/ocr", data={"image_url": f"{other.url}/", "timeout": "60"})
    assert response.status_code == 200
    assert seen[0].of("ocr_requests_waiting") == {(): 0}


async def test_empty_file_field_of_a_browser_form_is_ignored() -> None:
    def part(name: str, filename: str, value: str) -> str:
        return f'--b\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n{value}\r\n'

    async with peer(reply_with(answer(small_png()))) as other:
        body = part("file", '; filename=""', "") + part("image_url", "", f"{other.url}/") + "--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        by_address = await post(other, content=body, headers=headers)
        body = part("file", '; filename=""', "") + part("image_url", "", "") + "--b--\r\n"
        neither = await post(other, content=body, headers=headers)
        body = part("file", '; filename="a.png"', "x") + part("image_url", "", "") + "--b--\r\n"
        file = await post(other, content=body, headers=headers)
    assert by_address.status_code == 200
    assert_problem(neither, 422, "no_file")
    assert_problem(file, 422, "not_a_document")


async def test_fields_are_validated_before_fetching() -> None:
    async with peer(reply_with(answer(small_png()))) as other:
        response = await post(other, data={"image_url": f"{other.url}/", "format": "odt"})
    assert_problem(response, 422, "invalid_request")
    assert other.connections == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_body"),
        (b"", 400, "malformed_body"),
        (b"[" * 1000, 400, "malformed_body"),
        (b'{"image_url": "http://a/\xff"}', 400, "malformed_body"),
        (b'{"image_url": "http://a/\\ud800"}', 400, "malformed_body"),
        (b'{"image_url": "http://a/", "lang": {"x": "\\ud800"}}', 400, "malformed_body"),
        (b'{"x": %s}' % (b"9" * 5000), 400, "malformed_body"),
        (b'["http://a/"]', 422, "invalid_request"),
        (b'"http://a/"', 422, "invalid_request"),
        (b'{"image_url": "http://a/", "image_url": "http://b/"}', 422, "invalid_request"),
        (b'{"image_url": "http://a/", "sneaky": 1}', 422, "invalid_request"),
        (b'{"image_url": ["http://a/", "http://b/"]}', 422, "invalid_request"),
        (b'{"image_url": 5}', 422, "invalid_request"),
        (b'{"image_url": null}', 422, "no_file"),
        (b"{}", 422, "no_file"),
        (b'{"image_url": "%s"}' % (b"a" * MIB), 413, "too_many_bytes"),
    ],
    ids=range(16),
)
async def test_invalid_json_body_is_refused(body: bytes, status: int, code: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, status, code)


async def test_deeply_nested_json_is_refused() -> None:
    """Nesting beyond the recursion limit of Python is a client error at every step of parsing."""
    headers = {"Content-Type": "application/json"}
    async with serving(ScriptedEngine()) as client:
        for depth in range(900, 1000):
            deep = b'{"image_url": "x", "lang": %s%s}' % (b"[" * depth, b"]" * depth)
            response = await client.post("/ocr", content=deep, headers=headers)
            assert response.status_code in (400, 422), depth


async def test_urlencoded_form_size_is_bounded() -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with serving(ScriptedEngine()) as client:
        for body, status, code in [
            (b"image_url=" + b"a" * 20_000, 400, "malformed_body"),
            (b"a=1&" * 65, 400, "malformed_body"),
            (bytes(MIB + 1), 413, "too_many_bytes"),
        ]:
            response = await client.post("/ocr", content=body, headers=headers)
            assert_problem(response, status, code)


async def test_fetched_file_is_validated_like_an_upload() -> None:
    paths = {
        "/text": (b"Just text.", 422, "not_a_document"),
        "/cut": (small_png()[:8], 422, "broken_document"),
        "/empty": (b"", 422, "empty_file"),
        "/large": (bytes(MIB + 1), 413, "too_many_bytes"),
    }
    answers = {path: answer(data) for path, (data, *_) in paths.items()}
    async with (
        peer(by_path(answers)) as other,
        serving(ScriptedEngine(), **open_to(other, ocr_max_upload_mb=1)) as client,
    ):
        for path, (_, status, code) in paths.items():
            response = await client.post("/ocr", data={"image_url": other.url + path})
            assert_problem(response, status, code)


async def test_fetching_rules_come_from_the_settings() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"ocr_url_credentials": False},
        {"ocr_url_ports": "80,443"},
        {"ocr_url_allowlist": None},
    ]
    async with peer(reply_with(answer(small_png()))) as other:
        url = other.url.replace("//", "//me:SECRET@")
        for change in changes:
            settings = open_to(other, **{"ocr_url_credentials": True, **change})
            async with serving(ScriptedEngine(), **settings) as client:
                response = await client.post("/ocr", data={"image_url": url})
            assert response.json().get("code") == ("url_not_allowed" if change else None)
            assert "SECRET" not in response.text


@pytest.mark.parametrize(
    ("setting", "scheme", "detail"),
    [
        ("ocr_url_connect_timeout", "https", "connection timed out after 0.1 s"),
        ("ocr_url_read_timeout", "http", "sent nothing for 0.1 s"),
        ("ocr_url_timeout", "http", "took more than 0.1 s"),
    ],
)
async def test_fetching_timeouts_come_from_the_settings(setting: str, scheme: str, detail: str) -> None:
    async with (
        peer(no_reply) as other,
        serving(ScriptedEngine(), **open_to(other, **{setting: 0.1})) as client,
    ):
        url = other.url.replace("http", scheme)
        response = await client.post("/ocr", data={"image_url": url})
    assert_problem(response, 424, "fetch_failed")
    assert detail in response.json()["detail"]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_fetched_document_beyond_the_byte_budget_is_refused(encoding: str) -> None:
    """The decoded bytes count; both compressed documents would fit."""
    engine = GatedEngine()
    large = small_png() + bytes(700_000)
    body = gzip.compress(large) if encoding == "gzip" else large
    async with (
        peer(reply_with(answer(body, f"Content-Encoding: {encoding}"))) as other,
        serving(engine, **open_to(other, ocr_max_documents_mb=1)) as client,
    ):
        fields = {"image_url": other.url}
        first = asyncio.create_task(client.post("/ocr", data=fields))
        await engine.entered.get()
        refused = await client.post("/ocr", data=fields)
        engine.open(1)
        assert (await first).status_code == 200
        again = await client.post("/ocr", data=fields)
    assert_problem(refused, 503, "overloaded")
    assert again.status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_fetching_ends_when_the_client_disconnects(accept: str) -> None:
    async with peer(no_reply) as other, serving(ScriptedEngine(), **open_to(other)) as client:
        request = asyncio.create_task(
            client.post("/ocr", data={"image_url": other.url}, headers={"Accept": accept})
        )
        await other.request_received.wait()
        request.cancel()
        await other.disconnected.wait()
