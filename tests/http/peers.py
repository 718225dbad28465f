"""Loopback servers that send a response chosen by the test and record the requests, and fetchers for them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ocr_service.security.addresses import Allowlist
from ocr_service.sources.checked_network import look_up
from ocr_service.sources.fetching import Fetcher
from ocr_service.sources.settings import UrlSettings

LIMIT = 64 * 1024
FILE = b"%PDF-1.7 and so on"

# Called with the head of the request; the connection closes when it returns.
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that answers with `answer`.

    requests: request heads so far. connections: their number.
    request_received: set when a request arrives. disconnected: set if the client closes first.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.request_received = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            self.request_received.set()
            await self._answer_unless_left(head, reader, writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.disconnected.set()
        finally:
            writer.transport.abort()

    async def _answer_unless_left(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answering = asyncio.ensure_future(self._answer(head, writer))
        disconnecting = asyncio.create_task(reader.read())
        try:
            await asyncio.wait((answering, disconnecting), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ConnectionResetError
            answering.result()
        finally:
            for task in (answering, disconnecting):
                task.cancel()
            await asyncio.gather(answering, disconnecting, return_exceptions=True)


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    """Read a request with its body. If a part is not read, the end of the connection is a reset."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return head + await reader.readexactly(int(length or 0))


@asynccontextmanager
async def peer(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    one = Peer(answer)
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(one.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, host, port, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Build a complete response; length: Content-Length, if it must differ from the length of the body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reply_with(data: bytes) -> Answer:
    """Send these bytes in response to every request."""

    async def write(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write


def redirects(location: str, status: str = "302 Found") -> Answer:
    return reply_with(answer(b"", f"Location: {location}", status=status))


def by_path(answers: dict[str, bytes]) -> Answer:
    """Choose the response by the requested path."""

    async def write(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[head.split()[1].decode()])
        await writer.drain()

    return write


async def no_reply(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Send nothing, and keep the connection open."""
    await asyncio.Event().wait()


def fetcher(port: int, opened: str = "127.0.0.1", resolver: Any = look_up, **rules: Any) -> Fetcher:
    chosen: dict[str, Any] = {
        "allowlist": Allowlist.parse(opened),
        "ports": frozenset({port}),
        "connect_timeout": 120,
        "read_timeout": 120,
        "timeout": 240,
    }
    return Fetcher(UrlSettings(**(chosen | rules)), LIMIT, resolver)


async def download(subject: Fetcher, url: str) -> bytes:
    return b"".join([chunk async for chunk in subject.fetch(url)])


async def fetched(server: Answer, path: str = "/scan.pdf", **rules: Any) -> bytes:
    async with peer(server) as other:
        return await download(fetcher(other.port, **rules), other.url + path)


class Resolver:
    """A fake DNS resolver: each look-up takes the next answer; the last answer repeats."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.hosts: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.hosts.append(host)
        return self._answers[min(len(self.hosts), len(self._answers)) - 1]
