"""Slots for pages that are decoded or recognized: callers take turns, and jobs are behind requests."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from ocr_service.core.turns import UNKNOWN, Caller, Turns

# Decay of the moving average, per page.
_DECAY = 0.95
# Seconds without a page of a request after which jobs may use every slot.
_QUIET_SECONDS = 10.0
# Beyond the limits, for a page of a request whose caller has no other; the pixels as a part of their limit.
_SPARE_PAGES, _SPARE_PIXELS = 1, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A page, and the future that ends its wait."""

    pixels: int
    granted: asyncio.Future[None]


class PageSlots:
    """Limits the pages and the pixels in memory; belongs to one event loop.

    A page with more pixels than the limit gets a slot when no other page has one. The next slot is for the
    caller with the fewest. Beside the slots, there is one for a request whose caller has none: it does not
    wait, however long the pages of others take. Pages of jobs wait until no page of a request does.
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
        self.pages, self.pixels = pages, pixels
        self.job_pages = pages if job_pages is None else job_pages
        self.pages_taken = self.pixels_taken = self.job_pages_taken = 0
        # Slots released since the start, also by pages that failed.
        self.pages_done = 0
        self._requests: Turns[_Waiter] = Turns()
        self._jobs: Turns[_Waiter] = Turns()
        self._clock = clock
        self._speed = _Speed()
        self._last_change = clock()
        self._last_request = -_QUIET_SECONDS + clock()

    @property
    def pages_a_second(self) -> float | None:
        """Recent rate of released slots while any was taken; None before the first."""
        return self._speed.pages_a_second

    async def acquire(self, pixels: int, caller: Caller = UNKNOWN) -> None:
        """Wait for a slot, after the earlier pages of the caller."""
        waiter = _Waiter(pixels, asyncio.get_running_loop().create_future())
        self._turns_of(caller).add(caller, waiter)
        self._serve()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if not waiter.granted.cancelled():
                self.give_back(pixels, caller)
            else:
                # Smaller pages may have waited behind this one.
                self._serve()
            raise

    def release(self, pixels: int, caller: Caller = UNKNOWN) -> None:
        """Release the slot of a page that is done."""
        self.pages_done += 1
        self._speed.add_page(self._clock() - self._last_change)
        self._last_change = self._clock()
        self.give_back(pixels, caller)

    def give_back(self, pixels: int, caller: Caller = UNKNOWN) -> None:
        """Release the slot of a page that is not done and needs another one later."""
        self._count(caller, -1, -pixels)
        self._turns_of(caller).let_go(caller)
        if not caller.is_job:
            self._last_request = self._clock()
        self._serve()

    def _turns_of(self, caller: Caller) -> Turns[_Waiter]:
        return self._jobs if caller.is_job else self._requests

    def _serve(self) -> None:
        while first := self._requests.first or self._jobs.first:
            caller, waiter = first
            if not waiter.granted.cancelled():
                if not self._may_go(caller, waiter):
                    return
                self._grant(caller, waiter)
            self._turns_of(caller).take(caller)

    def _grant(self, caller: Caller, waiter: _Waiter) -> None:
        if not self.pages_taken:
            # Idle time does not count for the speed.
            self._last_change = self._clock()
        self._count(caller, 1, waiter.pixels)
        self._turns_of(caller).hold(caller)
        waiter.granted.set_result(None)

    def _count(self, caller: Caller, pages: int, pixels: int) -> None:
        self.pages_taken += pages
        self.pixels_taken += pixels
        self.job_pages_taken += pages if caller.is_job else 0

    def _may_go(self, caller: Caller, waiter: _Waiter) -> bool:
        has_turn = not caller.is_job or self.job_pages_taken < self.job_pages or self._is_quiet
        return has_turn and (not self.pages_taken or self._fits(caller, waiter.pixels))

    def _fits(self, caller: Caller, pixels: int) -> bool:
        pages, pixels_after = self.pages_taken + 1, self.pixels_taken + pixels
        if not caller.is_job and not self._requests.held(caller):
            return pages <= self.pages + _SPARE_PAGES and pixels_after <= self.pixels * (1 + _SPARE_PIXELS)
        return pages <= self.pages and pixels_after <= self.pixels

    @property
    def _is_quiet(self) -> bool:
        has_requests = self.pages_taken > self.job_pages_taken
        return not has_requests and self._clock() - self._last_request >= _QUIET_SECONDS


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
