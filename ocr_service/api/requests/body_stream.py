"""The bytes of a request's body, counted and timed as they arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

from fastapi import Request
from pydantic import Field

from ocr_service.core.errors import RequestError, TooManyBytes, UploadTooSlow
from ocr_service.core.settings import SettingsGroup, env_prefix

Hold = Callable[[int], None]

# Limit for the body without the file: boundaries, headers of parts and the other fields.
ENVELOPE = 1024 * 1024


class UploadSettings(SettingsGroup):
    """Size and speed of uploads."""

    model_config = env_prefix("OCR_UPLOAD_")

    max_mb: int = Field(
        50,
        ge=1,
        le=2048,
        validation_alias="OCR_MAX_UPLOAD_MB",
        description="Maximum size of a file, in MiB.",
    )
    idle_timeout: float = Field(30, gt=0, le=3600, description="Seconds that an upload may pause.")
    min_rate: int = Field(
        10_000, ge=1, description="Minimum average speed of an upload, in bytes per second."
    )

    @property
    def max_bytes(self) -> int:
        """Maximum size of a file in bytes."""
        return self.max_mb * 2**20

    def chunk_timeout(self, arrived: int, seconds: float) -> float:
        """Return the timeout of the next chunk, after `arrived` bytes in `seconds`.

        A body can lag behind the minimum rate by `idle_timeout`, so that it can start slowly.
        """
        earned = arrived / self.min_rate
        return min(self.idle_timeout, max(0.0, self.idle_timeout + earned - seconds))


class BodyStream:
    """A body that is being received. hold: called with the bytes of memory before they are used."""

    def __init__(self, request: Request, limits: UploadSettings, hold: Hold) -> None:
        self.headers = request.headers
        self.limits = limits
        self._request = request
        self.hold = hold

    async def chunks(self, max_bytes: int, refusal: TooManyBytes) -> AsyncGenerator[bytes]:
        """Yield the chunks of the body; raises the refusal if they exceed the limit."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes:
            raise refusal
        arrived = 0
        async for chunk in _at_minimum_rate(self._request.stream(), self.limits):
            arrived += len(chunk)
            if arrived > max_bytes:
                raise refusal
            self.hold(len(chunk))
            yield chunk


async def _at_minimum_rate(chunks: AsyncGenerator[bytes], limits: UploadSettings) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises UploadTooSlow if they arrive too slowly."""
    began = time.monotonic()
    arrived = 0
    while True:
        try:
            async with asyncio.timeout(limits.chunk_timeout(arrived, time.monotonic() - began)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow(
                f"The body must arrive at {limits.min_rate} bytes per second on average, "
                f"without pauses of more than {limits.idle_timeout:g} s."
            ) from None
        if chunk is None:
            return
        arrived += len(chunk)
        yield chunk


async def discard_body(request: Request, limits: UploadSettings) -> None:
    """Read the body and discard it, before an answer that closes the connection.

    A client that is still sending when the connection closes would not see the answer.
    """
    with suppress(RequestError):
        async for _ in BodyStream(request, limits, lambda _: None).chunks(
            limits.max_bytes, TooManyBytes.beyond(limits.max_bytes)
        ):
            pass
