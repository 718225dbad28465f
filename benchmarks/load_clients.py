"""Two hundred clients of five kinds, in one event loop in their own process."""

import asyncio
import os
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.load_documents import BOUNDARY, Documents

# The clients share the service's cores and must not take its CPU time.
NICENESS = 5
REPORT_SECONDS = 10
# Time limit for requests in flight at the end.
MOST_SECONDS_AFTER = 120
# Limit of the wait for Retry-After.
MOST_WAIT_SECONDS = 10.0

DISCONNECTED, CUT_OFF, UNFINISHED = "disconnected", "connection closed", "unfinished at the end"
CLIENTS = {"small images": 90, "long PDFs": 30, "bad files": 30, "disconnecting": 25, "slow senders": 25}


@dataclass(frozen=True)
class Outcome:
    """Outcome of one request. result: status and code, or how it ended. seconds: its duration."""

    kind: str
    result: str
    seconds: float


@dataclass(frozen=True)
class Answer:
    """status: HTTP status. code: error code, or "". retry_after: seconds, or 0."""

    status: int
    code: str = ""
    retry_after: float = 0

    @classmethod
    def parse(cls, raw: bytes) -> "Answer":
        """Parse the status, error code and Retry-After of a raw response."""
        head, _, body = raw.partition(b"\r\n\r\n")
        code = re.search(rb'"code":"(\w+)"', body) if b"problem" in head.lower() else None
        if b'"event":"error"' in body:
            code = re.search(rb'"code":"(\w+)"', body.rpartition(b'"event":"error"')[2])
        retry_after = re.search(rb"(?i)retry-after: (\d+)", head)
        return cls(
            int(head.split(None, 2)[1]),
            code[1].decode() if code else "",
            float(retry_after[1]) if retry_after else 0,
        )

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip()


@dataclass
class Clients:
    """The clients and their outcomes. address: host and port."""

    address: tuple[str, int]
    documents: Documents
    ends_at: float
    outcomes: list[Outcome] = field(default_factory=list)

    async def run(self) -> None:
        """Let all clients send until the end time, then wait for the requests in flight."""
        behaviours = [self._small, self._long, self._bad, self._leave, self._send_slowly]
        clients = [
            asyncio.create_task(self._client(kind, behave))
            for (kind, count), behave in zip(CLIENTS.items(), behaviours, strict=True)
            for _ in range(count)
        ]
        while (left := self.ends_at - time.monotonic()) > 0:
            print(f"{left:.0f} s to go: {len(self.outcomes)} requests so far", file=sys.stderr, flush=True)
            await asyncio.sleep(min(left, REPORT_SECONDS))
        print("waiting for the requests in flight", file=sys.stderr, flush=True)
        _, unfinished = await asyncio.wait(clients, timeout=MOST_SECONDS_AFTER)
        for client in unfinished:
            client.cancel()
        await asyncio.gather(*clients)

    async def _client(self, kind: str, behave: Callable[[], Awaitable[Answer | None]]) -> None:
        # Clients start at different times.
        await asyncio.sleep(random.uniform(0, 2))
        while time.monotonic() < self.ends_at:
            answer = None
            began = time.monotonic()
            result = UNFINISHED
            try:
                answer = await behave()
                result = str(answer) if answer else DISCONNECTED
            except (OSError, EOFError):
                result = CUT_OFF
            except asyncio.CancelledError:
                return
            finally:
                self.outcomes.append(Outcome(kind, result, time.monotonic() - began))
            wait = min(answer.retry_after, MOST_WAIT_SECONDS) if answer else 0
            await asyncio.sleep(wait + random.uniform(0.2, 1))

    async def _small(self) -> Answer:
        return await self._request(random.choice(self.documents.small))

    async def _long(self) -> Answer:
        accept = random.choice(("application/json", "application/x-ndjson"))
        return await self._request(random.choice(self.documents.long), accept)

    async def _bad(self) -> Answer:
        return await self._request(random.choice(self.documents.bad))

    async def _leave(self) -> Answer | None:
        """Disconnect during the upload or soon after it."""
        body = random.choice(self.documents.small + self.documents.long)
        unsent = len(body) // 2 if random.random() < 0.4 else 0
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.05, 3)):
                return await self._request(body, unsent=unsent)
        return None

    async def _send_slowly(self) -> Answer:
        """Upload at a pace that is allowed or too slow; or send incomplete headers."""
        patience = random.choice((10.0, 10.0, 1000.0, None))
        return await self._request(random.choice(self.documents.small), upload_seconds=patience)

    async def _request(
        self,
        body: bytes,
        accept: str = "application/json",
        unsent: int = 0,
        upload_seconds: float | None = 0,
    ) -> Answer:
        """Send a request and wait for the end of the response.

        unsent: number of bytes of the body that are never sent.
        upload_seconds: duration of the upload; if it is None, only half of the headers is sent.
        """
        reader, writer = await asyncio.open_connection(*self.address)
        sending = asyncio.create_task(_send(writer, _head(body, accept), body, unsent, upload_seconds))
        try:
            return Answer.parse(await _whole(reader))
        finally:
            sending.cancel()
            writer.transport.abort()


async def _send(
    writer: asyncio.StreamWriter, head: bytes, body: bytes, unsent: int, upload_seconds: float | None
) -> None:
    if upload_seconds is None:
        writer.write(head[: len(head) // 2])
        return
    writer.write(head)
    body = body[: len(body) - unsent]
    pieces = 20 if upload_seconds else 1
    size = len(body) // pieces + 1
    with suppress(ConnectionError):
        for begin in range(0, len(body), size):
            writer.write(body[begin : begin + size])
            await writer.drain()
            await asyncio.sleep(upload_seconds / pieces)


async def _whole(reader: asyncio.StreamReader) -> bytes:
    raw = await reader.read(-1)
    if b"\r\n\r\n" not in raw:
        raise EOFError
    return raw


def _head(body: bytes, accept: str) -> bytes:
    lines = (
        "POST /ocr HTTP/1.1",
        "Host: service",
        f"Accept: {accept}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode()


def run_clients(url: str, documents: Documents, seconds: float) -> list[Outcome]:
    """Run the clients against a service for some seconds; the caller runs this in its own process."""
    os.nice(NICENESS)
    address = urlsplit(url)
    assert address.hostname and address.port
    clients = Clients((address.hostname, address.port), documents, time.monotonic() + seconds)
    asyncio.run(clients.run())
    return clients.outcomes
