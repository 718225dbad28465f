"""Every bad input, with the status and the code from the table in docs/errors.md."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image

from ocr_service.core.errors import RecognitionFailed
from tests.fakes.absent_engine import AbsentEngine
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import (
    bomb_png,
    encoded,
    pdf_of_text,
    pdf_with_broken_page,
    pdf_with_huge_picture,
    small_png,
    tiff_of_empty_pages,
)

pytestmark = pytest.mark.anyio

MIB = 2**20
HEAD = b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"


@dataclass(frozen=True)
class Bad:
    """A request that must be refused; request: arguments for httpx."""

    name: str
    status: int
    code: str
    request: dict[str, Any] = field(default_factory=dict)


def file(data: bytes, **fields: str) -> dict[str, Any]:
    return {"files": {"file": ("scan", data)}, "data": fields}


def jpeg() -> bytes:
    return encoded(Image.effect_noise((200, 200), 60), "JPEG")


BAD = [
    Bad("empty request", 422, "no_file"),
    Bad("form without a file", 422, "no_file", {"files": {"lang": (None, b"rus")}}),
    Bad("file field that holds text", 422, "no_file", {"files": {"file": (None, b"scan.jpg")}}),
    Bad("urlencoded form without a URL", 422, "no_file", {"data": {"lang": "rus"}}),
    Bad("JSON without a URL", 422, "no_file", {"json": {"lang": "rus"}}),
    Bad("empty file", 422, "empty_file", file(b"")),
    Bad("two files", 422, "invalid_request", {"files": [("file", small_png()), ("file", small_png())]}),
    Bad("file in another field", 422, "invalid_request", {"files": {"image": small_png()}}),
    Bad("field given twice", 422, "invalid_request", {"files": [
        ("file", small_png()), ("lang", (None, b"rus")), ("lang", (None, b"eng"))]}),
    Bad("field given twice in the query", 422, "invalid_request", {
        "files": {"file": small_png()}, "params": [("lang", "rus"), ("lang", "eng")]}),
    Bad("file in the query", 422, "invalid_request", {
        "files": {"file": small_png()}, "params": {"file": "scan.png"}}),
    Bad("file and URL together", 422, "invalid_request",
        file(small_png(), image_url="https://example.com/scan.jpg")),
    Bad("URL in the query", 422, "invalid_request",
        {"files": {"file": small_png()}, "params": {"image_url": "https://example.com/scan.jpg"}}),
    Bad("file in JSON that is not base64", 422, "invalid_request", {"json": {"file": "scan.jpg"}}),
    Bad("JSON that is not an object", 422, "invalid_request", {"json": ["https://example.com/scan.jpg"]}),
    Bad("invalid JSON", 400, "malformed_body",
        {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    Bad("form of 2 MB without a file", 413, "too_many_bytes",
        {"content": bytes(2_000_000), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
    Bad("invalid URL", 422, "invalid_url", {"data": {"image_url": "scan.jpg"}}),
    Bad("URL with another scheme than http and https", 422, "url_not_allowed",
        {"data": {"image_url": "ftp://example.com/scan.jpg"}}),
    Bad("URL with a user or a password", 422, "url_not_allowed",
        {"data": {"image_url": "https://user:password@example.com/scan.jpg"}}),
    Bad("URL with a port that is not allowed", 422, "url_not_allowed",
        {"data": {"image_url": "https://example.com:8443/scan.jpg"}}),
    Bad("URL with an internal address: private, loopback, cloud metadata", 422, "url_not_allowed",
        {"data": {"image_url": "http://169.254.169.254/latest/meta-data/"}}),
    Bad("URL with an unknown host", 424, "fetch_failed",
        {"data": {"image_url": "https://no-such-host.invalid/scan.jpg"}}),
    Bad("field of 20 kB", 400, "malformed_body", file(small_png(), lang="r" * 20_000)),
    Bad("unknown field", 422, "invalid_request", file(small_png(), page="1")),
    Bad("value out of range", 422, "invalid_request", file(small_png(), layout_threshold="7")),
    Bad("unknown format", 422, "invalid_request", file(small_png(), format="odt")),
    Bad("pages that are not a page list", 422, "invalid_request", file(small_png(), pages="one")),
    Bad("page out of range", 422, "pages_out_of_range", file(pdf_of_text(["a"] * 3), pages="2-4")),
    Bad("page zero", 422, "pages_out_of_range", file(small_png(), pages="0")),
    Bad("reversed range", 422, "pages_out_of_range", file(pdf_of_text(["a"] * 3), pages="3-2")),
    Bad("huge range", 422, "pages_out_of_range", file(small_png(), pages="1-999999999")),
    Bad("language that is not installed", 422, "language_not_installed", file(small_png(), lang="tlh")),
    Bad("text", 422, "not_a_document", file("Это просто текст.".encode())),
    Bad("text that begins like a BMP", 422, "not_a_document", file(b"BMW annual report, all of it in words")),
    Bad("random bytes", 422, "not_a_document", file(bytes(range(1, 200)))),
    Bad("JPEG truncated before its pixels", 422, "broken_document", file(jpeg()[:300])),
    Bad("PNG signature only", 422, "broken_document", file(small_png()[:8])),
    Bad("damaged PDF", 422, "broken_document", file(b"%PDF-1.7\nnothing follows")),
    Bad("PDF with a single, damaged page", 422, "broken_document", file(pdf_with_broken_page(1, 1))),
    Bad("encrypted PDF", 422, "encrypted_pdf", file(pdf_of_text(["a"], password="s3same"))),
    Bad("Office document", 415, "type_not_supported", file(b"PK\x03\x04" + bytes(100))),
    Bad("ZIP archive with a PDF inside", 415, "type_not_supported", file(b"PK\x03\x04" + pdf_of_text(["a"]))),
    Bad("SVG", 415, "type_not_supported", file(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
    Bad("video", 415, "type_not_supported", file(b"\0\0\0\x18ftypmp42" + bytes(12))),
    Bad("DjVu", 415, "type_not_supported", file(b"AT&TFORM\x00\x00\x00\x10DJVU")),
    Bad("text as the request body", 415, "media_type_not_supported",
        {"content": b"Just text.", "headers": {"Content-Type": "text/plain"}}),
    Bad("unknown bytes as the request body", 422, "not_a_document",
        {"content": b"Just text.", "headers": {"Content-Type": "image/png"}}),
    Bad("Office document as the request body", 415, "type_not_supported",
        {"content": b"PK\x03\x04" + bytes(100)}),
    Bad("image without its line ends, as curl -d sends it", 400, "malformed_body", {
        "content": small_png().translate(None, b"\r\n\0") + b"GIF89a",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
    Bad("form without a boundary", 400, "malformed_body",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
    Bad("truncated form", 400, "malformed_body", {
        "content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + small_png(),
        "headers": {"Content-Type": "multipart/form-data; boundary=b"}}),
    Bad("invalid form", 400, "malformed_body",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}),
    Bad("image wider than the engine accepts", 422, "too_many_pixels",
        file(encoded(Image.new("1", (60_001, 1)), "PNG"))),
    Bad("625 megapixels in 77 kB", 422, "too_many_pixels", file(bomb_png(25_000))),
    Bad("625 megapixels in a PDF", 422, "too_many_pixels", file(pdf_with_huge_picture(25_000))),
    Bad("TIFF of more than 2000 pages", 422, "too_many_pages", file(tiff_of_empty_pages(2001))),
    Bad("too many pages", 422, "too_many_pages", file(pdf_of_text(["a"] * 6))),
    Bad("too many bytes", 413, "too_many_bytes", file(small_png() + bytes(MIB))),
    Bad("far too many bytes", 413, "too_many_bytes", file(bytes(3 * MIB))),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
async def test_bad_input_returns_its_status_and_code(bad: Bad) -> None:
    async with serving(ScriptedEngine(), ocr_max_pages=5, ocr_max_upload_mb=1) as client:
        response = await client.post("/ocr", **bad.request)
        after = await client.post("/ocr", files={"file": small_png()})
    assert_problem(response, bad.status, bad.code)
    assert after.status_code == 200


def assert_problem(response: Any, status: int, code: str) -> None:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:ocr-service:error:{code}"
    assert problem["status"] == status
    assert problem["title"] and problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    for internal in ("Traceback", ".py", "site-packages", "object at 0x", "/usr/", "/tmp/"):
        assert internal not in response.text


async def test_body_without_a_length_is_refused_at_the_limit() -> None:
    """The response to an endless body without a length is sent when the body exceeds the limit."""
    async with serving(ScriptedEngine(), ocr_max_upload_mb=1) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        sent = 0
        while not answered.done() and sent < 400 * MIB:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            sent += len(part)
            part = bytes(64 * 1024)
        writer.close()
    assert (await answered).startswith(b"HTTP/1.1 413")
    # The amount that socket buffers accept beyond the limit depends on the system, not on the body.
    assert MIB < sent < 64 * MIB


async def test_content_length_beyond_the_limit_is_refused_before_the_body() -> None:
    """A client that waits for 100-continue never sends the body."""
    async with serving(ScriptedEngine(), ocr_max_upload_mb=1) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_unavailable_engine_returns_503() -> None:
    async with serving(AbsentEngine()) as client:
        response = await client.post("/ocr", files={"file": small_png()})
    assert_problem(response, 503, "engine_unavailable")
    assert response.headers["retry-after"] == "7"


async def test_page_that_the_engine_cannot_read_is_an_error() -> None:
    async with serving(FaultyEngine({1: RecognitionFailed("The engine gave up.")})) as client:
        response = await client.post("/ocr", files={"file": small_png()})
    assert_problem(response, 500, "recognition_failed")


class _BrokenInCheck(ScriptedEngine):
    """Raises an unexpected error."""

    def check(self, options: object) -> None:
        raise ZeroDivisionError("in /srv/secret/place.py")


async def test_internal_error_reveals_no_details() -> None:
    async with serving(_BrokenInCheck()) as client:
        response = await client.post("/ocr", files={"file": small_png()})
    assert_problem(response, 500, "internal_error")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("DELETE", "/ocr", 405, "method_not_allowed")],
)
async def test_framework_errors_have_the_same_format(method: str, path: str, status: int, code: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.request(method, path)
    assert_problem(response, status, code)


async def test_error_before_the_start_of_a_stream_is_a_plain_response() -> None:
    async with serving(ScriptedEngine()) as client:
        headers = {"Accept": "application/x-ndjson"}
        response = await client.post("/ocr", files={"file": b"text"}, headers=headers)
    assert_problem(response, 422, "not_a_document")
    assert json.loads(response.text)
