"""The rate at which the bodies of all requests are received."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from ocr_service.core.slots import Slots
from ocr_service.core.turns import Caller

# Bytes per second for each core. More would help nobody, because documents are read much more slowly.
RATE_PER_CORE = 16 * 2**20
# The largest document by default, and its form.
_BURST = 64 * 2**20


class Intake:
    """Limits the rate of bytes, so that a flood leaves the event loop and the cores to others.

    Callers take turns chunk by chunk. So a chunk of one caller waits for two of another at most, however many
    these are. Belongs to one event loop.

    rate: bytes per second. burst: bytes that pass at once after a pause. clock: in seconds.
    """

    def __init__(
        self,
        rate: float,
        burst: int = _BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._burst_seconds = burst / rate
        self._clock = clock
        self._sleep = sleep
        self._turn = Slots(1)
        # When the bytes so far have had the time that they may take.
        self._paid_at = clock() - self._burst_seconds

    async def take(self, count: int, caller: Caller) -> None:
        """Wait until some bytes that have arrived may be handled.

        Until then the connection is not read, and the sender is slowed down.
        """
        async with self._turn.one(caller):
            now = self._clock()
            if self._paid_at > now:
                await self._sleep(self._paid_at - now)
            self._paid_at = max(self._paid_at, self._clock() - self._burst_seconds) + count / self._rate
