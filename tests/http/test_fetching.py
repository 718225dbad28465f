"""What comes of fetching from other sides of every kind: real servers on loopback, which the rules open."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from ocr_service.core.errors import EmptyFile, FetchFailed, OcrError, TooManyBytes
from tests.http.peers import FILE, LIMIT, Answer, answer, download, fetched, fetcher, never, peer, says
from tests.running import free_port

pytestmark = pytest.mark.anyio


async def failure(at: Answer, kind: type[OcrError] = FetchFailed, **rules: Any) -> str:
    with pytest.raises(kind) as caught:
        await fetched(at, **rules)
    assert type(caught.value) is kind
    assert "127.0.0.1" not in caught.value.detail
    return caught.value.detail


async def test_file_comes_as_it_is() -> None:
    async with peer(says(answer(FILE))) as other:
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
    ids=["until it closes", "in chunks", "after a hint"],
)
async def test_every_way_of_sending_a_body(data: bytes) -> None:
    assert await fetched(says(data)) == FILE


# What the other side does


@pytest.mark.parametrize(
    ("data", "told"),
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
async def test_what_the_other_side_said_is_told_in_our_words(data: bytes, told: str) -> None:
    detail = await failure(says(data))
    assert told in detail
    assert "SECRET" not in detail


async def test_connection_that_is_refused() -> None:
    port = free_port()
    with pytest.raises(FetchFailed, match="Connection refused"):
        await download(fetcher(port), f"http://127.0.0.1:{port}/")


async def test_length_that_is_too_small_cuts_the_file() -> None:
    assert await fetched(says(answer(FILE, length=4))) == FILE[:4]


async def test_announced_length_is_refused_before_any_of_it_is_read() -> None:
    async def announce(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1))
        await asyncio.Event().wait()

    assert "0 MiB" in await failure(announce, TooManyBytes)


async def test_largest_file_comes_and_one_more_byte_does_not() -> None:
    assert len(await fetched(says(answer(bytes(LIMIT))))) == LIMIT
    await failure(says(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LIMIT + 1)), TooManyBytes)


async def test_empty_file() -> None:
    await failure(says(answer(b"")), EmptyFile)
    await failure(says(answer(b"", "Content-Encoding: gzip")), EmptyFile)


@pytest.mark.parametrize("head", [b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"], ids=["plain", "chunked"])
async def test_body_without_an_end_is_read_up_to_the_limit(head: bytes) -> None:
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
        await other.left.wait()
    # What the socket's buffers take in beyond the limit depends on the system.
    assert LIMIT <= sent < 64 * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "Deflate"])
async def test_encoding_that_was_not_asked_for_is_undone(encoding: str) -> None:
    compress: Callable[[bytes], bytes] = zlib.compress if encoding == "Deflate" else gzip.compress
    data = bytes(LIMIT)
    assert await fetched(says(answer(compress(data), f"Content-Encoding: {encoding}"))) == data
    await failure(says(answer(compress(data + b"x"), f"Content-Encoding: {encoding}")), TooManyBytes)


async def test_gzip_bomb_is_not_blown_up() -> None:
    bomb = gzip.compress(bytes(600 * LIMIT))
    assert len(bomb) < LIMIT
    tracemalloc.start()
    try:
        await failure(says(answer(bomb, "Content-Encoding: gzip")), TooManyBytes)
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
async def test_slow_other_side_is_given_up_in_the_end(slow: Answer) -> None:
    async with peer(slow) as other:
        with pytest.raises(FetchFailed, match=r"took more than 0\.3 s"):
            await download(fetcher(other.port, read_timeout=60, timeout=0.3), f"{other.url}/")
        await other.left.wait()


async def test_other_side_that_says_nothing() -> None:
    async def stop_in_the_body(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx")
        await asyncio.Event().wait()

    for silent in (never, stop_in_the_body):
        assert "sent nothing for 0.1 s" in await failure(silent, read_timeout=0.1)


async def test_connection_that_does_not_come_about() -> None:
    async with peer(never) as other:
        url = f"https://127.0.0.1:{other.port}/"
        # The server does not speak TLS, and waits for the end of a request's head.
        with pytest.raises(FetchFailed, match=r"connection timed out after 0\.1 s"):
            await download(fetcher(other.port, connect_timeout=0.1), url)


async def test_deadline_does_not_cancel_the_consumer() -> None:
    async with peer(drip) as other:
        chunks = fetcher(other.port, timeout=0.3).fetch(f"{other.url}/")
        assert await anext(chunks) == b"x"
        # Until the deadline has passed, on the clock of the event loop.
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, passed.set)
        await passed.wait()
        with pytest.raises(FetchFailed, match=r"took more than 0\.3 s"):
            await anext(chunks)


async def test_consumer_that_stops_closes_the_connection() -> None:
    async with peer(drip) as other:
        async with aclosing(fetcher(other.port).fetch(f"{other.url}/")) as chunks:
            await anext(chunks)
        await other.left.wait()


async def test_caller_that_gives_up_closes_the_connection() -> None:
    async with peer(never) as other:
        fetching = asyncio.create_task(download(fetcher(other.port), f"{other.url}/"))
        await other.asked.wait()
        fetching.cancel()
        await other.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await fetching
