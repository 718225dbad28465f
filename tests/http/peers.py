"""Servers on loopback that answer what a test tells them, and remember who asked; and fetchers for them."""

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

# Is called with the request's head once it is there; the connection closes when it returns.
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """requests: the heads so far. connections: how many came. left: set when the other side closes first."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            self.asked.set()
            await self._answer_unless_left(head, reader, writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.transport.abort()

    async def _answer_unless_left(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answering = asyncio.ensure_future(self._answer(head, writer))
        leaving = asyncio.create_task(reader.read())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ConnectionResetError
            answering.result()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


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
    """Make a whole answer; length: what is announced, where it is not the body's own."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(data: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def write(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write


def redirects(location: str, status: str = "302 Found") -> Answer:
    return says(answer(b"", f"Location: {location}", status=status))


def by_path(answers: dict[str, bytes]) -> Answer:
    """Answer by the path that is asked for."""

    async def write(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[head.split()[1].decode()])
        await writer.drain()

    return write


async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Say nothing, and keep the connection open."""
    await asyncio.Event().wait()


def fetcher(port: int, opened: str = "127.0.0.1", resolver: Any = look_up, **rules: Any) -> Fetcher:
    chosen: dict[str, Any] = {
        "allowlist": Allowlist.parse(opened),
        "ports": frozenset({port}),
        "connect_timeout": 10,
        "read_timeout": 10,
        "timeout": 20,
    }
    return Fetcher(UrlSettings(**(chosen | rules)), LIMIT, resolver)


async def download(subject: Fetcher, url: str) -> bytes:
    return b"".join([chunk async for chunk in subject.fetch(url)])


async def fetched(at: Answer, path: str = "/scan.pdf", **rules: Any) -> bytes:
    async with peer(at) as other:
        return await download(fetcher(other.port, **rules), other.url + path)


class Resolver:
    """Stands in for name servers: each look-up takes the next answer, the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]
