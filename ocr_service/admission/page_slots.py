"""Places for pages between their decoding and their text, given out first come, first served."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# How much of what is known of the speed a further page leaves as it was.
_MEMORY = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    pixels: int
    granted: asyncio.Future[None]


class Places:
    """Bounds what is decoded at a time, in pages and in pixels; whoever asks first is served first.

    A page of more pixels than there are goes alone. Belongs to one event loop. clock: seconds.
    """

    def __init__(self, pages: int, pixels: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.pages, self.pixels = pages, pixels
        self.pages_taken = self.pixels_taken = 0
        # Since the start, whatever came of them.
        self.pages_done = 0
        self._queue: deque[_Waiting] = deque()
        self._clock = clock
        self._speed = _Speed()
        self._last_change = clock()

    @property
    def pages_a_second(self) -> float | None:
        """How fast places have come free lately, while any was taken; None before the first."""
        return self._speed.pages_a_second

    async def take(self, pixels: int) -> None:
        """Wait for a place, behind all who have asked before."""
        if not self._queue and self._fits(pixels):
            return self._grant(pixels)
        waiting = _Waiting(pixels, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if not waiting.granted.cancelled():
                self._free(pixels)
            else:
                # It may have stood in the way of smaller ones.
                self._serve()
            raise

    def give_back(self, pixels: int) -> None:
        """Let go of a place whose page is done."""
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
            # Time in which there was nothing to do says nothing about the speed.
            self._last_change = self._clock()
        self.pages_taken += 1
        self.pixels_taken += pixels

    def _free(self, pixels: int) -> None:
        self.pages_taken -= 1
        self.pixels_taken -= pixels
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._is_next(self._queue[0]):
            waiting = self._queue.popleft()
            if not waiting.granted.cancelled():
                self._grant(waiting.pixels)
                waiting.granted.set_result(None)

    def _is_next(self, waiting: _Waiting) -> bool:
        return waiting.granted.cancelled() or self._fits(waiting.pixels)


class _Speed:
    """Pages a second, of which the last ones count most."""

    def __init__(self) -> None:
        self._pages = self._seconds = 0.0

    @property
    def pages_a_second(self) -> float | None:
        return self._pages / self._seconds if self._seconds else None

    def add_page(self, seconds: float) -> None:
        self._pages = _MEMORY * self._pages + 1
        self._seconds = _MEMORY * self._seconds + seconds
