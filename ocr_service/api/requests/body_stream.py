"""The bytes of a request's body, counted and timed as they arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from fastapi import Request

from ocr_service.api.requests.body_buffer import BodyBuffer, Memory
from ocr_service.api.requests.intake import Intake
from ocr_service.api.requests.settings import UploadSettings
from ocr_service.api.requests.upload_disk import UploadDisk
from ocr_service.core.errors import RequestError, TooManyBytes, UploadTooSlow
from ocr_service.core.turns import Caller

# Limit for the body without the file: boundaries, headers of parts and the other fields.
ENVELOPE = 1024 * 1024
# Bytes beyond which the steps of a body take turns.
_LARGE = 4 * 1024 * 1024

Run = Callable[..., Awaitable[Any]]


class BodyStream:
    """A body that is being received.

    memory, disk: for its bytes. intake: its rate. caller: the sender. in_turn: runs a call in the thread for
    large bodies.
    """

    def __init__(
        self,
        request: Request,
        limits: UploadSettings,
        memory: Memory,
        disk: UploadDisk,
        intake: Intake,
        caller: Caller,
        in_turn: Run,
    ) -> None:
        self.headers = request.headers
        self.limits = limits
        self.memory = memory
        self._request = request
        self._disk = disk
        self._intake = intake
        self._caller = caller
        self._in_turn = in_turn

    def buffer(self) -> BodyBuffer:
        """Return a buffer for the body."""
        return BodyBuffer(self.memory, self._disk, self._caller)

    async def compute(self, size: int, call: Callable[..., Any], *args: Any) -> Any:
        """Run a step of reading the body in a thread. size: of its bytes.

        Large bodies take turns, because each step holds the interpreter lock for a while.
        """
        run = self._in_turn if size > _LARGE else asyncio.to_thread
        return await run(call, *args)

    async def chunks(self, max_bytes: int, refusal: TooManyBytes) -> AsyncGenerator[bytes]:
        """Yield the chunks of the body; raises the refusal if they exceed the limit, and UploadTooSlow.

        Raises Overloaded at once if the memory has no room for the announced size.
        """
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) <= max_bytes:
            self.memory.require(int(announced))
        async with aclosing(_limited(self._request, self.limits, max_bytes, refusal)) as chunks:
            async for chunk in chunks:
                await self._intake.take(len(chunk), self._caller)
                yield chunk


async def discard_body(request: Request, limits: UploadSettings) -> None:
    """Read the body and discard it, before an answer that closes the connection.

    A client that is still sending when the connection closes would not see the answer.
    """
    with suppress(RequestError):
        async for _ in _limited(request, limits, limits.max_bytes, TooManyBytes()):
            pass


async def _limited(
    request: Request, limits: UploadSettings, max_bytes: int, refusal: TooManyBytes
) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises the refusal if they exceed the limit, and UploadTooSlow."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise refusal
    arrived = 0
    async for chunk in _in_time(request.stream(), limits):
        arrived += len(chunk)
        if arrived > max_bytes:
            raise refusal
        yield chunk


async def _in_time(
    chunks: AsyncGenerator[bytes], limits: UploadSettings, clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises UploadTooSlow if they arrive too slowly.

    The sender has `idle_timeout` seconds. Waits use them, and bytes earn them back, but never more: a fast
    start earns no long pause.
    """
    credit, left = limits.idle_timeout, limits.timeout
    while True:
        began = clock()
        try:
            async with asyncio.timeout(min(credit, left)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow(_reason(limits, is_late=left <= credit)) from None
        if chunk is None:
            return
        # Our own work with the chunk, and its wait for the intake, do not count.
        waited = clock() - began
        left -= waited
        credit = min(limits.idle_timeout, max(0.0, credit - waited) + len(chunk) / limits.min_rate)
        yield chunk


def _reason(limits: UploadSettings, *, is_late: bool) -> str:
    if is_late:
        return f"The body must arrive within {limits.timeout:g} s."
    return (
        f"The body must arrive at {limits.min_rate} bytes per second on average, "
        f"without pauses of more than {limits.idle_timeout:g} s."
    )
