"""Slots for pages that are decoded or recognized, granted first come, first served."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Decay of the moving average, per page.
_DECAY = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    pixels: int
    granted: asyncio.Future[None]


class PageSlots:
    """Limits the pages and the pixels in memory; belongs to one event loop.

    A page with more pixels than the limit gets a slot when no other page has one. clock: in seconds.
    """

    def __init__(self, pages: int, pixels: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.pages, self.pixels = pages, pixels
        self.pages_taken = self.pixels_taken = 0
        # Slots released since the start, also by pages that failed.
        self.pages_done = 0
        self._queue: deque[_Waiter] = deque()
        self._clock = clock
        self._speed = _Speed()
        self._last_change = clock()

    @property
    def pages_a_second(self) -> float | None:
        """Recent rate of released slots while any was taken; None before the first."""
        return self._speed.pages_a_second

    async def acquire(self, pixels: int) -> None:
        """Wait for a slot, after all earlier callers."""
        if not self._queue and self._fits(pixels):
            return self._grant(pixels)
        waiter = _Waiter(pixels, asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if not waiter.granted.cancelled():
                self._free(pixels)
            else:
                # Smaller pages may have waited behind this one.
                self._serve()
            raise

    def release(self, pixels: int) -> None:
        """Release the slot of a page that is done."""
        self.pages_done += 1
        self._speed.add_page(self._clock() - self._last_change)
        self._last_change = self._clock()
        self._free(pixels)

    def _fits(self, pixels: int) -> bool:
        if not self.pages_taken:
            return True
        return self.pages_taken < self.pages and self.pixels_taken + pixels <= self.pixels

    def _grant(self, pixels: int) -> None:
        if not self.pages_taken:
            # Idle time does not count for the speed.
            self._last_change = self._clock()
        self.pages_taken += 1
        self.pixels_taken += pixels

    def _free(self, pixels: int) -> None:
        self.pages_taken -= 1
        self.pixels_taken -= pixels
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._is_next(self._queue[0]):
            waiter = self._queue.popleft()
            if not waiter.granted.cancelled():
                self._grant(waiter.pixels)
                waiter.granted.set_result(None)

    def _is_next(self, waiter: _Waiter) -> bool:
        return waiter.granted.cancelled() or self._fits(waiter.pixels)


class _Speed:
    """Pages per second, as an exponential moving average."""

    def __init__(self) -> None:
        self._pages = self._seconds = 0.0

    @property
    def pages_a_second(self) -> float | None:
        return self._pages / self._seconds if self._seconds else None

    def add_page(self, seconds: float) -> None:
        self._pages = _DECAY * self._pages + 1
        self._seconds = _DECAY * self._seconds + seconds
