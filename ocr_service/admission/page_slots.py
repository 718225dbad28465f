"""Slots for pages that are decoded or recognized."""

import time
from collections.abc import Callable

from ocr_service.core.slots import Slots
from ocr_service.core.turns import UNKNOWN, Caller

# Decay of the moving average, per page.
_DECAY = 0.95
# Beyond the limits, for a page of a request whose caller has no other; the pixels as a part of their limit.
_SPARE_PAGES, _SPARE_PIXELS = 1, 0.1


class PageSlots(Slots):
    """Limits the pages and the pixels in memory; belongs to one event loop.

    A page with more pixels than the limit gets a slot when no other page has one. Beside the slots, there is
    one for a request whose caller has none: it does not wait, however long the pages of others take.
    job_pages: maximum pages of jobs while requests are read, or shortly after; None for all slots.
    clock: in seconds.
    """

    def __init__(
        self,
        pages: int,
        pixels: int,
        job_pages: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(pages, job_pages, clock)
        self.pixels = pixels
        # Slots released since the start, also by pages that failed.
        self.pages_done = 0
        self._speed = _Speed()
        self._last_change = clock()

    @property
    def pages_taken(self) -> int:
        """Pages that have slots."""
        return self.taken

    @property
    def pages_a_second(self) -> float | None:
        """Recent rate of released slots while any was taken; None before the first."""
        return self._speed.pages_a_second

    def release(self, pixels: int, caller: Caller = UNKNOWN) -> None:
        """Release the slot of a page that is done; `give_back` is for a page that needs another one later."""
        self.pages_done += 1
        self._speed.add_page(self._clock() - self._last_change)
        self._last_change = self._clock()
        self.give_back(pixels, caller)

    def _count(self, caller: Caller, slots: int, size: int) -> None:
        if not self.taken:
            # Idle time does not count for the speed.
            self._last_change = self._clock()
        super()._count(caller, slots, size)

    def _fits(self, size: int, is_first: bool) -> bool:
        spare_pages, spare_pixels = (_SPARE_PAGES, _SPARE_PIXELS * self.pixels) if is_first else (0, 0)
        has_pixels = self.size_taken + size <= self.pixels + spare_pixels
        return not self.taken or (self.taken < self.limit + spare_pages and has_pixels)


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
