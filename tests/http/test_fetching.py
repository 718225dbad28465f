"""Fetching from real servers on loopback that behave in every way; the allowlist admits them."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from ocr_service.core.errors import EmptyFile, FetchFailed, OcrError, TooManyBytes
from ocr_service.sources import fetching
from tests.http.clock import let_pass
from tests.http.peers import (
    FILE,
    LIMIT,
    Answer,
    answer,
    download,
    fetched,
    fetcher,
    no_reply,
    peer,
    reply_with,
)
from tests.running import free_port

pytestmark = pytest.mark.anyio


async def failure(server: Answer, kind: type[OcrError] = FetchFailed, **rules: Any) -> str:
    with pytest.raises(kind) as caught:
        await fetched(server, **rules)
    assert type(caught.value) is kind
    assert "127.0.0.1" not in caught.value.detail
    return caught.value.detail


async def test_download_returns_the_file_unchanged() -> None:
    async with peer(reply_with(answer(FILE))) as other:
        assert await download(fetcher(other.port), f"{other.url}/a b/%D1%8F.pdf?sign=a%2Fb&x=я#part") == FILE
    [head] = other.requests
    assert head.startswith(b"GET /a%20b/%D1%8F.pdf?sign=a%2Fb&x=%D1%8F HTTP/1.1\r\n")
    assert b"Host: 127.0.0.1:%d\r\n" % other.port in head
    assert b"Accept-Encoding: identity\r\n" in head
    assert b"Authorization" not in head


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n" + FILE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%s\r\nd\r\n%s\r\n0\r\n\r\n"
        % (FILE[:5], FILE[5:]),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(FILE),
    ],
    ids=["until close", "chunked", "after an informational response"],
)
async def test_body_framing_is_supported(data: bytes) -> None:
    assert await fetched(reply_with(data)) == FILE


# Behaviour of the server


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (answer(b"SECRET page", status="404 SECRET"), "answered 404 Not Found."),
        (answer(b"", status="500 Internal Server Error"), "answered 500 Internal Server Error."),
        (answer(b"", status="299 Odd"), "answered 299."),
        (answer(FILE[:3], status="206 Partial Content"), "answered 206 Partial Content."),
        (answer(b"", status="304 Not Modified"), "answered 304 Not Modified."),
        (answer(b"", status="302 Found"), "answered 302 Found."),
        (b"", "sent no response"),
        (b"SSH-2.0-SECRET\r\n", "sent no response, or an invalid one"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "sent no response, or an invalid one"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 4000 + b"\r\n" + FILE, "sent no response, or an invalid one"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + answer(FILE), "sent no response, or an invalid one"),
        (answer(FILE, length=1000), "closed before the file was complete"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%PDF", "closed before the file"),
        (answer(FILE, "Content-Encoding: br"), "unsupported content encoding"),
        (answer(FILE, "Content-Encoding: gzip"), "damaged"),
        (
            answer(gzip.compress(FILE, mtime=0)[:-9], "Content-Encoding: gzip"),
            "incomplete, or other data follows",
        ),
        (
            answer(gzip.compress(FILE, mtime=0) + b"more", "Content-Encoding: gzip"),
            "incomplete, or other data follows",
        ),
    ],
)
async def test_server_fault_is_reported_without_quoting_the_server(data: bytes, detail: str) -> None:
    detail = await failure(reply_with(data))
    assert detail in detail
    assert "SECRET" not in detail


async def test_very_small_chunks_leave_turns_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SECONDS_A_GROUP", 0)
    since = longest = 0

    async def other_work() -> None:
        nonlocal since
        while True:
            since = 0
            await asyncio.sleep(0)

    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 3000 + b"0\r\n\r\n"
    async with peer(reply_with(chunks)) as other:
        working = asyncio.create_task(other_work())
        async for _ in fetcher(other.port).fetch(f"{other.url}/"):
            since += 1
            longest = max(longest, since)
        working.cancel()
    assert 0 < longest <= 64


async def test_small_chunks_of_all_downloads_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SECONDS_A_GROUP", 3600)
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100 + b"0\r\n\r\n"
    assert "took more than 0.1 s" in await failure(reply_with(chunks), timeout=0.1)
    assert await fetched(reply_with(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LIMIT))) == bytes(LIMIT)


async def test_refused_connection_is_reported() -> None:
    port = free_port()
    with pytest.raises(FetchFailed, match="Connection refused"):
        await download(fetcher(port), f"http://127.0.0.1:{port}/")


async def test_content_length_below_the_body_truncates_the_file() -> None:
    assert await fetched(reply_with(answer(FILE, length=4))) == FILE[:4]


async def test_content_length_beyond_the_limit_is_refused_before_the_body() -> None:
    async def announce(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1))
        await asyncio.Event().wait()

    assert "0 MiB" in await failure(announce, TooManyBytes)


async def test_file_at_the_limit_is_accepted_and_one_more_byte_is_refused() -> None:
    assert len(await fetched(reply_with(answer(bytes(LIMIT))))) == LIMIT
    await failure(reply_with(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LIMIT + 1)), TooManyBytes)


async def test_empty_file_is_downloaded() -> None:
    await failure(reply_with(answer(b"")), EmptyFile)
    await failure(reply_with(answer(b"", "Content-Encoding: gzip")), EmptyFile)


@pytest.mark.parametrize("head", [b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"], ids=["plain", "chunked"])
async def test_endless_body_is_read_up_to_the_limit(head: bytes) -> None:
    sent = 0

    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        part = b"x" * 16 * 1024
        while sent < 400 * 2**20:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if b"chunked" in head else part)
            await writer.drain()
            sent += len(part)

    async with peer(endless) as other:
        with pytest.raises(TooManyBytes):
            await download(fetcher(other.port), f"{other.url}/")
        await other.disconnected.wait()
    # The amount that socket buffers accept beyond the limit depends on the system.
    assert LIMIT <= sent < 64 * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "Deflate"])
async def test_unrequested_content_encoding_is_decoded(encoding: str) -> None:
    compress: Callable[[bytes], bytes] = zlib.compress if encoding == "Deflate" else gzip.compress
    data = bytes(LIMIT)
    assert await fetched(reply_with(answer(compress(data), f"Content-Encoding: {encoding}"))) == data
    await failure(reply_with(answer(compress(data + b"x"), f"Content-Encoding: {encoding}")), TooManyBytes)


async def test_gzip_bomb_is_decoded_up_to_the_limit() -> None:
    bomb = gzip.compress(bytes(600 * LIMIT))
    assert len(bomb) < LIMIT
    tracemalloc.start()
    try:
        await failure(reply_with(answer(bomb, "Content-Encoding: gzip")), TooManyBytes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * LIMIT


# Time


async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_of_headers(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("slow", [drip, drip_of_headers], ids=["body", "headers"])
async def test_slow_server_exceeds_the_total_timeout(slow: Answer) -> None:
    async with peer(slow) as other:
        with pytest.raises(FetchFailed, match=r"took more than 1 s"):
            await download(fetcher(other.port, read_timeout=60, timeout=1), f"{other.url}/")
        await other.disconnected.wait()


async def test_silent_server_exceeds_the_read_timeout() -> None:
    async def stop_in_the_body(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx")
        await asyncio.Event().wait()

    for silent in (no_reply, stop_in_the_body):
        assert "sent nothing for 0.1 s" in await failure(silent, read_timeout=0.1)


async def test_unfinished_tls_handshake_exceeds_the_connect_timeout() -> None:
    async with peer(no_reply) as other:
        url = f"https://127.0.0.1:{other.port}/"
        # The server does not speak TLS, and waits for the end of a request head.
        with pytest.raises(FetchFailed, match=r"connection timed out after 0\.1 s"):
            await download(fetcher(other.port, connect_timeout=0.1), url)


async def test_deadline_does_not_cancel_the_consumer() -> None:
    async with peer(drip) as other:
        chunks = fetcher(other.port, timeout=60).fetch(f"{other.url}/")
        assert await anext(chunks) == b"x"
        await let_pass(60)
        with pytest.raises(FetchFailed, match=r"took more than 60 s"):
            await anext(chunks)


async def test_consumer_that_stops_closes_the_connection() -> None:
    async with peer(drip) as other:
        async with aclosing(fetcher(other.port).fetch(f"{other.url}/")) as chunks:
            await anext(chunks)
        await other.disconnected.wait()


async def test_cancelled_download_closes_the_connection() -> None:
    async with peer(no_reply) as other:
        fetching = asyncio.create_task(download(fetcher(other.port), f"{other.url}/"))
        await other.request_received.wait()
        fetching.cancel()
        await other.disconnected.wait()
        with pytest.raises(asyncio.CancelledError):
            await fetching
