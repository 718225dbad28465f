"""What a connection may cost: headers, bodies and answers that do not come to an end. On raw sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

UPLOAD = b"POST /ocr HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


@asynccontextmanager
async def connected(engine: ScriptedEngine | None = None, **settings: Any) -> AsyncIterator[Streams]:
    """A connection to a service of its own."""
    async with serving(engine or ScriptedEngine(), **settings) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the other side to close, which is the test's point; pytest's own timeout ends a long wait."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET /health HTT", b"GET /health HTTP/1.1\r\nhost: x\r\n", b"\r\n\r\n"]
)
async def test_headers_that_do_not_come_to_an_end_are_not_waited_for(sent: bytes) -> None:
    async with connected(ocr_header_timeout=0.2) as (reader, writer):
        writer.write(sent)
        assert await is_closed(reader)


async def test_headers_without_end_are_refused() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nx: " + b"a" * 100_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431")


async def test_a_connection_is_used_again_and_its_next_headers_have_their_time() -> None:
    async with connected(ocr_header_timeout=1) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(length_of(head))
        writer.write(b"GET /version HTTP/1.1\r\n")
        assert await is_closed(reader)


async def test_what_follows_a_body_in_chunks_is_bounded_too() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 200")
        with suppress(ConnectionError):
            writer.write(b"a: b\r\n" * 100_000)
            await writer.drain()
        assert await is_closed_after_the_answer(reader)


async def test_many_small_pieces_of_a_body_are_no_headers() -> None:
    form = PART + bytes(50_000) + b"\r\n--b--\r\n"
    async with connected() as (reader, writer):
        writer.write(UPLOAD + b"transfer-encoding: chunked\r\n\r\n")
        for byte in form:
            writer.write(b"1\r\n%c\r\n" % byte)
        writer.write(b"0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 422")


async def test_a_connection_whose_body_came_after_the_answer_is_not_kept_for_ever() -> None:
    async with connected(ocr_header_timeout=0.1) as (reader, writer):
        writer.write(b"GET /version HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
        await reader.readexactly(length_of(await reader.readuntil(b"\r\n\r\n")))
        writer.write(b"body")
        assert await is_closed(reader)


async def test_what_is_sent_ahead_of_an_answer_is_not_answered_and_hides_no_leaver() -> None:
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


async def test_an_upload_that_pauses_is_cut_off_with_a_reason() -> None:
    async with connected(ocr_upload_idle_timeout=0.2) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 1000\r\n\r\n" + PART)
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"upload_too_slow"' in answer


async def test_an_upload_that_trickles_is_cut_off_too() -> None:
    """It never pauses, but comes at a few bytes where ten thousand a second are asked for."""
    async with connected(ocr_upload_idle_timeout=0.3) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 1000000\r\n\r\n" + PART)
        answering = asyncio.create_task(reader.readuntil(b"}"))
        while not answering.done():
            writer.write(b"x")
            await asyncio.wait({answering}, timeout=0.05)
    assert answering.result().startswith(b"HTTP/1.1 408")


async def test_a_slow_upload_within_the_limits_is_read() -> None:
    form = PART + small_png() + b"\r\n--b--\r\n"
    async with connected(ocr_upload_idle_timeout=10, ocr_upload_min_rate=1) as (reader, writer):
        writer.write(UPLOAD + b"content-length: %d\r\n\r\n" % len(form))
        for at in range(0, len(form), 16):
            writer.write(form[at : at + 16])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_the_rest_of_a_refused_body_is_not_taken_for_ever() -> None:
    async with connected(ocr_max_upload_mb=1, ocr_upload_idle_timeout=0.3) as (reader, writer):
        writer.write(UPLOAD + b"content-length: 900000000\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        closed = asyncio.create_task(is_closed_after_the_answer(reader))
        while not closed.done():
            writer.write(b"x" * 1000)
            await asyncio.wait({closed}, timeout=0.05)
        assert closed.result()


async def test_who_is_still_sending_sees_why_it_is_refused_also_where_the_connection_is_to_close() -> None:
    """As with nginx, which closes each connection to what stands behind it."""
    body = b"x" * 20_000_000
    async with connected(ocr_max_upload_mb=1) as (reader, writer):
        writer.write(UPLOAD + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_many_bytes"' in answer


async def is_closed_after_the_answer(reader: asyncio.StreamReader) -> bool:
    with suppress(ConnectionError):
        while await reader.read(1000):
            pass
    return True


class _Verbose(GatedEngine):
    """A page's text is so long that it overfills every buffer between the two sides."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        return replace(await super().recognize(page, options), text="v" * 30_000_000)


async def test_an_answer_that_nobody_reads_is_given_up_and_its_work_too() -> None:
    engine = _Verbose()
    form = PART + pdf_of_text(["a", "b"]) + b"\r\n--b--\r\n"
    head = UPLOAD + b"accept: application/x-ndjson\r\ncontent-length: %d\r\n\r\n" % len(form)
    async with connected(engine, ocr_answer_idle_timeout=0.3) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(head + form)
        assert {await engine.entered.get() for _ in range(2)} == {1, 2}
        engine.open(1)
        assert await engine.cancelled.get() == 2


async def test_an_answer_that_is_read_slowly_is_not() -> None:
    engine = _Verbose()
    engine.open(1)
    form = PART + pdf_of_text(["a"]) + b"\r\n--b--\r\n"
    async with connected(engine, ocr_answer_idle_timeout=2, ocr_header_timeout=0.1) as (reader, writer):
        writer.write(UPLOAD + b"content-length: %d\r\n\r\n" % len(form) + form)
        head = await reader.readuntil(b"\r\n\r\n")
        left = length_of(head)
        while left:
            left -= len(await reader.readexactly(min(left, 2_000_000)))
            # A slow reader, which takes longer over all than an idle one may, and longer than a next request
            # is waited for: that is what is tested.
            await asyncio.sleep(0.45)


def length_of(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
