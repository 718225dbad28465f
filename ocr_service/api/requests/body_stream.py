"""The bytes of a request's body, counted while they arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request

from ocr_service.core.errors import RequestError, TooManyBytes, UploadTooSlow

Hold = Callable[[int], None]

# Boundaries, part headers and the other fields, beside the file; a body without a file has no more.
ENVELOPE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """max_bytes: of the largest file. idle_seconds: between two pieces. bytes_per_second: the least average.

    A body may lag behind that average by `idle_seconds`, so that none need hurry at its start.
    """

    max_bytes: int
    idle_seconds: float
    bytes_per_second: int

    def patience(self, arrived: int, seconds: float) -> float:
        """Return for how long the next piece is waited for, once so many bytes arrived in so many seconds."""
        earned = arrived / self.bytes_per_second
        return min(self.idle_seconds, max(0.0, self.idle_seconds + earned - seconds))


class BodyStream:
    """A body on its way to us."""

    def __init__(self, request: Request, limits: BodyLimits, hold: Hold) -> None:
        self.headers = request.headers
        self.limits = limits
        self._request = request
        self._hold = hold

    async def chunks(self, max_bytes: int, refusal: TooManyBytes) -> AsyncGenerator[bytes]:
        """Yield the body's chunks; raises the refusal before the one that passes the limit is kept."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes:
            raise refusal
        arrived = 0
        async for chunk in _in_step(self._request.stream(), self.limits):
            arrived += len(chunk)
            if arrived > max_bytes:
                raise refusal
            self._hold(len(chunk))
            yield chunk


async def _in_step(chunks: AsyncGenerator[bytes], limits: BodyLimits) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises UploadTooSlow for those that trickle."""
    began = time.monotonic()
    arrived = 0
    while True:
        try:
            async with asyncio.timeout(limits.patience(arrived, time.monotonic() - began)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow(
                f"The body must come at {limits.bytes_per_second} bytes a second on the average, "
                f"and without pauses of more than {limits.idle_seconds:g} s."
            ) from None
        if chunk is None:
            return
        arrived += len(chunk)
        yield chunk


async def discard_body(request: Request, limits: BodyLimits) -> None:
    """Read what is sent and keep none of it: for an answer after which the connection is closed.

    Who is still sending when the connection closes would not see the answer.
    """
    with suppress(RequestError):
        async for _ in BodyStream(request, limits, lambda _: None).chunks(
            limits.max_bytes, TooManyBytes.beyond(limits.max_bytes)
        ):
            pass
