"""Limits of a connection, on raw sockets: slow or endless headers, bodies and readers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.runtime import connections
from ocr_service.runtime.connections import Connection
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.clock import let_pass
from tests.http.scraping import Scrape, scrape, until_grown
from tests.http.serving import serving
from tests.running import NO_CERTIFICATES
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

UPLOAD = b"POST /ocr HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


@asynccontextmanager
async def connected(engine: ScriptedEngine | None = None, **settings: Any) -> AsyncIterator[Streams]:
    """A raw connection to a new service."""
    async with serving(engine or ScriptedEngine(), **settings) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the service to close the connection; the timeout of pytest bounds the wait."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET /health HTT", b"GET /health HTTP/1.1\r\nhost: x\r\n", b"\r\n\r\n"]
)
async def test_incomplete_headers_time_out(sent: bytes) -> None:
    async with connected(ocr_header_timeout=0.2) as (reader, writer):
        writer.write(sent)
        assert await is_closed(reader)


async def test_endless_headers_are_refused() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nx: " + b"a" * 100_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")


LONG_HEADS = {
    "headers": b"GET /version HTTP/1.1\r\n" + b"a: b\r\n" * 200,
    "one header": b"GET /version HTTP/1.1\r\na: " + b"b" * 17_000 + b"\r\n",
    "query": b"GET /version?a=" + b"%41" * 3000 + b" HTTP/1.1\r\n",
    "fields of the query": b"GET /version?" + b"a&" * 200 + b" HTTP/1.1\r\n",
    "headers beside an offer": b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n" + b"a: b\r\n" * 200,
}  # fmt: skip


@pytest.mark.parametrize("head", LONG_HEADS.values(), ids=LONG_HEADS.keys())
async def test_long_head_that_is_complete_is_refused_too(head: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(head + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")


async def test_head_within_the_limits_is_accepted() -> None:
    async with connected() as (reader, writer):
        writer.write(
            b"GET /version?%s HTTP/1.1\r\n" % (b"a=b&" * 20) + b"a: %s\r\n" % (b"b" * 140) * 100 + b"\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_header_timeout_applies_to_each_request_of_a_connection() -> None:
    async with connected(ocr_header_timeout=60) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(length_of(head))
        writer.write(b"GET /version HTTP/1.1\r\n")
        await let_pass(70)
        assert await is_closed(reader)


async def test_trailers_of_a_chunked_body_are_bounded() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 200")
        with suppress(ConnectionError):
            writer.write(b"a: b\r\n" * 100_000)
            await writer.drain()
        assert await is_closed_after_the_response(reader)


async def test_many_small_chunks_do_not_count_as_headers() -> None:
    form = PART + bytes(50_000) + b"\r\n--b--\r\n"
    async with connected() as (reader, writer):
        writer.write(UPLOAD + b"transfer-encoding: chunked\r\n\r\n")
        for byte in form:
            writer.write(b"1\r\n%c\r\n" % byte)
        writer.write(b"0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 422")


async def test_very_small_chunks_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before the second slice is an hour here, so that only the first one is parsed."""
    chunks, begun = Counter[str](), asyncio.Event()
    on_body = Connection.on_body

    def counted(connection: Connection, body: bytes) -> None:
        chunks["parsed"] += 1
        begun.set()
        on_body(connection, body)

    monkeypatch.setattr(Connection, "on_body", counted)
    monkeypatch.setattr(connections, "_SECONDS_A_SLICE", 3600)
    async with serving(ScriptedEngine()) as client:
        _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(UPLOAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 40_000)
        await begun.wait()
        for _ in range(3):
            assert (await client.get("/health/live")).status_code == 200
        writer.transport.abort()
    assert 256 < chunks["parsed"] < 3000


async def test_connection_with_a_late_body_is_closed_when_idle() -> None:
    async with connected(ocr_header_timeout=0.1) as (reader, writer):
        writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
        await reader.readexactly(length_of(await reader.readuntil(b"\r\n\r\n")))
        writer.write(b"body")
        await let_pass(10)
        assert await is_closed(reader)


async def test_pipelined_requests_are_dropped_and_do_not_hide_a_disconnect() -> None:
    engine = GatedEngine()
    form = PART + small_png() + b"\r\n--b--\r\n"
    head = UPLOAD + b"content-length: %d\r\n\r\n" % len(form)
    ahead = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n" * 20_000
    async with serving(engine) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(head + form + ahead)
        await writer.drain()
        await engine.entered.get()
        writer.transport.abort()
        assert await engine.cancelled.get() == 1
        engine.open(1)
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(head + form + ahead)
        answers = await reader.read()
        writer.close()
    assert answers.startswith(b"HTTP/1.1 200") and answers.count(b"HTTP/1.1") == 1
    assert b"\r\nconnection: close\r\n" in answers


async def test_paused_upload_is_refused_with_a_reason() -> None:
    async with connected(ocr_upload_idle_timeout=0.2) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 1000\r\n\r\n" + PART)
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"upload_too_slow"' in answer


async def test_upload_below_the_minimum_rate_is_refused() -> None:
    """The upload never pauses, but sends a few bytes a second; the minimum is ten thousand."""
    async with connected(ocr_upload_idle_timeout=0.3) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 1000000\r\n\r\n" + PART)
        answering = asyncio.create_task(reader.readuntil(b"}"))
        while not answering.done():
            writer.write(b"x")
            await asyncio.wait({answering}, timeout=0.05)
    assert answering.result().startswith(b"HTTP/1.1 408")


async def test_slow_upload_within_the_limits_is_accepted() -> None:
    form = PART + small_png() + b"\r\n--b--\r\n"
    async with connected(ocr_upload_idle_timeout=10, ocr_upload_min_rate=1) as (reader, writer):
        writer.write(UPLOAD + b"content-length: %d\r\n\r\n" % len(form))
        for offset in range(0, len(form), 16):
            writer.write(form[offset : offset + 16])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_upload_that_is_not_complete_holds_disk_and_not_memory() -> None:
    """The memory has room for 2 MiB; the uploads of more than 3 MiB leave it to another caller."""
    async with serving(ScriptedEngine(), ocr_max_documents_mb=2) as client:
        head = UPLOAD + b"content-length: 1000000\r\n\r\n" + PART
        opened = []
        for _ in range(4):
            opened.append(await asyncio.open_connection(client.base_url.host, client.base_url.port))
            opened[-1][1].write(head + bytes(900_000))
        while (state := await scrape(client)).of("ocr_upload_disk_bytes")[()] < 3_000_000:
            await asyncio.sleep(0.02)
        assert state.of("ocr_documents_held_bytes")[()] < 2**20
        answer = await client.post("/ocr", files={"file": small_png()})
        assert answer.status_code == 200, answer.text
        for _, writer in opened:
            writer.transport.abort()


async def test_rest_of_a_refused_body_is_read_for_a_limited_time() -> None:
    async with connected(ocr_max_upload_mb=1, ocr_upload_idle_timeout=0.3) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 900000000\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        closed = asyncio.create_task(is_closed_after_the_response(reader))
        while not closed.done():
            writer.write(b"x" * 1000)
            await asyncio.wait({closed}, timeout=0.05)
        assert closed.result()


async def test_client_still_sending_receives_the_refusal_even_with_connection_close() -> None:
    """nginx sends `Connection: close` to its upstream servers."""
    body = b"x" * 20_000_000
    async with connected(ocr_max_upload_mb=1) as (reader, writer):
        writer.write(UPLOAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_many_bytes"' in answer


async def is_closed_after_the_response(reader: asyncio.StreamReader) -> bool:
    with suppress(ConnectionError):
        while await reader.read(1000):
            pass
    return True


class _Verbose(GatedEngine):
    """Returns a page with more text than all buffers between service and client hold."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        return replace(await super().recognize(page, options), text="v" * 30_000_000)


async def test_response_that_is_not_read_is_aborted_and_its_pages_are_cancelled() -> None:
    engine = _Verbose()
    form = PART + pdf_of_text(["a", "b"]) + b"\r\n--b--\r\n"
    head = UPLOAD + b"accept: application/x-ndjson\r\ncontent-length: %d\r\n\r\n" % len(form)
    async with connected(engine, ocr_answer_idle_timeout=0.3) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(head + form)
        assert {await engine.entered.get() for _ in range(2)} == {1, 2}
        engine.open(1)
        assert await engine.cancelled.get() == 2


async def test_response_that_is_read_slowly_is_sent_completely() -> None:
    engine = _Verbose()
    engine.open(1)
    form = PART + pdf_of_text(["a"]) + b"\r\n--b--\r\n"
    async with connected(engine, ocr_answer_idle_timeout=60, ocr_header_timeout=10) as (reader, writer):
        writer.write(UPLOAD + b"content-length: %d\r\n\r\n" % len(form) + form)
        head = await reader.readuntil(b"\r\n\r\n")
        left = length_of(head)
        while left:
            left -= len(await reader.readexactly(min(left, 2_000_000)))
            # The whole download takes longer than the idle timeout and the header timeout, but each pause is
            # shorter than the idle timeout.
            await let_pass(40)


def length_of(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])


async def test_health_is_answered_beyond_the_limit_of_connections() -> None:
    """Connections that send nothing, a part of the headers or a part of a body make room."""
    form = b"content-length: 1000\r\n\r\n" + PART
    async with serving(ScriptedEngine(), ocr_max_connections=10) as client:
        opened = [
            await asyncio.open_connection(client.base_url.host, client.base_url.port) for _ in range(30)
        ]
        for number, (_, writer) in enumerate(opened):
            with suppress(ConnectionError):
                writer.write((b"", b"GET /", UPLOAD + form)[number % 3])
                await writer.drain()
            for _ in range(2):
                await asyncio.sleep(0)
        async with httpx.AsyncClient(base_url=client.base_url, timeout=120, verify=NO_CERTIFICATES) as prober:
            for _ in range(5):
                assert (await prober.get("/health")).status_code == 200
            metrics = Scrape((await prober.get("/metrics")).text)
        assert metrics.of("ocr_connections_open")[()] == metrics.of("ocr_connections_limit")[()] == 10
        for _, writer in opened:
            writer.transport.abort()


async def test_unread_answers_take_half_of_the_memory_for_documents() -> None:
    """Nobody reads the answers, each of which needs most of the half."""
    engine = _Verbose()
    engine.open(1)
    form = PART + small_png() + b"\r\n--b--\r\n"
    async with serving(engine, ocr_max_documents_mb=120) as client:
        before = await scrape(client)
        opened = [await asyncio.open_connection(client.base_url.host, client.base_url.port) for _ in range(4)]
        for _, writer in opened:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(UPLOAD + b"content-length: %d\r\n\r\n" % len(form) + form)
        after = await until_grown(client, before, "ocr_connections_closed_total", {("unread",): 3})
        assert 0 < after.of("ocr_answers_unread_bytes")[()] <= 60 * 2**20
        for _, writer in opened:
            writer.transport.abort()


H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n"


async def test_offers_of_http2_are_ignored_and_their_bodies_are_read() -> None:
    """Java's HttpClient and `curl --http2` offer HTTP/2 with each request, on one connection."""
    form = PART + small_png() + b"\r\n--b--\r\n"
    with_length = UPLOAD + H2C + b"content-length: %d\r\n\r\n" % len(form)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(form), form)
    whole = with_length + form
    requests = {
        "whole": [whole],
        "in two pieces": [with_length, form],
        "cut anywhere": [whole[at : at + 9] for at in range(0, len(whole), 9)],
        "chunked": [UPLOAD + H2C + b"transfer-encoding: chunked\r\n\r\n" + chunks],
        "without a body": [b"GET /health HTTP/1.1\r\nhost: x\r\n" + H2C + b"\r\n"],
        "a WebSocket": [
            b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
        ],
        "without an offer": [UPLOAD + b"content-length: %d\r\n\r\n" % len(form) + form],
    }
    async with connected() as (reader, writer):
        for name, pieces in requests.items():
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(length_of(head))
            assert head.startswith(b"HTTP/1.1 200"), (name, body)
        writer.write(b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
