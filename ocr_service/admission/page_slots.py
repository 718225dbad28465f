"""Slots for pages that are decoded or recognized: requests first come, first served; jobs behind them."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

# Decay of the moving average, per page.
_DECAY = 0.95
# Seconds without a page of a request after which jobs may use every slot.
_QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """owner: of the job that the page belongs to; None for a page of a request."""

    pixels: int
    owner: str | None
    granted: asyncio.Future[None]


class PageSlots:
    """Limits the pages and the pixels in memory; belongs to one event loop.

    A page with more pixels than the limit gets a slot when no other page has one. Pages of jobs wait until no
    page of a request does, and the owners of jobs take turns. job_pages: maximum pages of jobs while requests
    are read, or shortly after; None for all slots. clock: in seconds.
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
        self._requests: deque[_Waiter] = deque()
        self._jobs = _Turns()
        self._clock = clock
        self._speed = _Speed()
        self._last_change = clock()
        self._last_request = -_QUIET_SECONDS + clock()

    @property
    def pages_a_second(self) -> float | None:
        """Recent rate of released slots while any was taken; None before the first."""
        return self._speed.pages_a_second

    async def acquire(self, pixels: int, owner: str | None = None) -> None:
        """Wait for a slot, after the earlier callers of the class. owner: of a job; None for a request."""
        waiter = _Waiter(pixels, owner, asyncio.get_running_loop().create_future())
        if owner is None:
            self._requests.append(waiter)
        else:
            self._jobs.add(owner, waiter)
        self._serve()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if not waiter.granted.cancelled():
                self.give_back(pixels, owner)
            else:
                # Smaller pages may have waited behind this one.
                self._serve()
            raise

    def release(self, pixels: int, owner: str | None = None) -> None:
        """Release the slot of a page that is done."""
        self.pages_done += 1
        self._speed.add_page(self._clock() - self._last_change)
        self._last_change = self._clock()
        self.give_back(pixels, owner)

    def _grant(self, waiter: _Waiter) -> None:
        if not self.pages_taken:
            # Idle time does not count for the speed.
            self._last_change = self._clock()
        self.pages_taken += 1
        self.pixels_taken += waiter.pixels
        self.job_pages_taken += waiter.owner is not None
        waiter.granted.set_result(None)

    def give_back(self, pixels: int, owner: str | None = None) -> None:
        """Release the slot of a page that is not done and needs another one later."""
        self.pages_taken -= 1
        self.pixels_taken -= pixels
        self.job_pages_taken -= owner is not None
        if owner is None:
            self._last_request = self._clock()
        self._serve()

    def _serve(self) -> None:
        while waiter := self._next():
            if not waiter.granted.cancelled():
                self._grant(waiter)

    def _next(self) -> _Waiter | None:
        """Take the waiter whose turn it is, if it fits or has left."""
        if self._requests:
            is_next = self._may_go(self._requests[0])
            return self._requests.popleft() if is_next else None
        waiter = self._jobs.first
        return self._jobs.take() if waiter and self._may_go(waiter) else None

    def _may_go(self, waiter: _Waiter) -> bool:
        if waiter.granted.cancelled():
            return True
        has_turn = waiter.owner is None or self.job_pages_taken < self.job_pages or self._is_quiet
        return has_turn and self._fits(waiter.pixels)

    def _fits(self, pixels: int) -> bool:
        if not self.pages_taken:
            return True
        return self.pages_taken < self.pages and self.pixels_taken + pixels <= self.pixels

    @property
    def _is_quiet(self) -> bool:
        has_requests = self.pages_taken > self.job_pages_taken
        return not has_requests and self._clock() - self._last_request >= _QUIET_SECONDS


class _Turns:
    """The waiting pages of jobs. Their owners take turns, so that many jobs of one do not delay another."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    @property
    def first(self) -> _Waiter | None:
        """The waiter whose turn it is."""
        return next(iter(self._queues.values()))[0] if self._queues else None

    def add(self, owner: str, waiter: _Waiter) -> None:
        self._queues.setdefault(owner, deque()).append(waiter)

    def take(self) -> _Waiter:
        """Remove the first waiter and return it; the next turn is another owner's."""
        owner, queue = self._queues.popitem(last=False)
        waiter = queue.popleft()
        if queue:
            self._queues[owner] = queue
        return waiter


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
