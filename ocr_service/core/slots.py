"""Slots for work that runs at the same time: callers take turns, and jobs are behind requests."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ocr_service.core.turns import UNKNOWN, Caller, Turns

# Seconds without work of a request after which jobs may use every slot.
_QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Work of some size, and the future that ends its wait."""

    size: int
    granted: asyncio.Future[None]


class Slots:
    """Limits the work that runs; belongs to one event loop.

    The next slot is for the caller with the fewest. Work of jobs waits until no work of a request does.
    limit: number of slots. job_limit: most slots of jobs while requests run, or shortly after; None for all.
    clock: in seconds. taken, size_taken, taken_by_jobs: now, the size in a unit that a subclass chooses.
    """

    def __init__(
        self, limit: int, job_limit: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.job_limit = limit if job_limit is None else job_limit
        self.taken = self.size_taken = self.taken_by_jobs = 0
        self._requests: Turns[_Waiter] = Turns()
        self._jobs: Turns[_Waiter] = Turns()
        self._clock = clock
        self._last_request = clock() - _QUIET_SECONDS

    async def acquire(self, size: int = 0, caller: Caller = UNKNOWN) -> None:
        """Wait for a slot, after the earlier work of the caller."""
        waiter = _Waiter(size, asyncio.get_running_loop().create_future())
        self._turns_of(caller).add(caller, waiter)
        self._serve()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if not waiter.granted.cancelled():
                self.give_back(size, caller)
            else:
                # Smaller work may have waited behind this.
                self._serve()
            raise

    def give_back(self, size: int = 0, caller: Caller = UNKNOWN) -> None:
        """Release a slot."""
        self._count(caller, -1, -size)
        self._turns_of(caller).let_go(caller)
        if not caller.is_job:
            self._last_request = self._clock()
        self._serve()

    @asynccontextmanager
    async def one(self, caller: Caller) -> AsyncIterator[None]:
        """Wait for a slot, and hold it."""
        await self.acquire(caller=caller)
        try:
            yield
        finally:
            self.give_back(caller=caller)

    def _fits(self, size: int, is_first: bool) -> bool:
        """Whether there is room for work of this size. is_first: of a request whose caller has no slot."""
        return self.taken < self.limit

    def _turns_of(self, caller: Caller) -> Turns[_Waiter]:
        return self._jobs if caller.is_job else self._requests

    def _serve(self) -> None:
        while first := self._requests.first or self._jobs.first:
            caller, waiter = first
            if not waiter.granted.cancelled():
                if not self._may_go(caller, waiter.size):
                    return
                self._count(caller, 1, waiter.size)
                self._turns_of(caller).hold(caller)
                waiter.granted.set_result(None)
            self._turns_of(caller).take(caller)

    def _count(self, caller: Caller, slots: int, size: int) -> None:
        self.taken += slots
        self.size_taken += size
        self.taken_by_jobs += slots if caller.is_job else 0

    def _may_go(self, caller: Caller, size: int) -> bool:
        if caller.is_job and self.taken_by_jobs >= self.job_limit and not self._is_quiet:
            return False
        return self._fits(size, not caller.is_job and not self._requests.held(caller))

    @property
    def _is_quiet(self) -> bool:
        has_requests = self.taken > self.taken_by_jobs
        return not has_requests and self._clock() - self._last_request >= _QUIET_SECONDS
