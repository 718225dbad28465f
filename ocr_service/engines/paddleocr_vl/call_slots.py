"""Slots for the calls to one vLLM server: calls for requests first, calls for jobs behind them."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# Calls of jobs beside those of requests. Each running sequence makes the steps of vLLM longer; with more of
# them, a request takes half as long again as without the job.
_BESIDE_REQUESTS = 24
# Seconds without a call of a request after which jobs may use every slot.
_QUIET_SECONDS = 10.0

_Waiting = deque[asyncio.Future[None]]


class CallSlots:
    """Limits the calls in flight; belongs to one event loop. clock: in seconds."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        # By whether the calls are those of jobs.
        self._waiting: dict[bool, _Waiting] = {False: deque(), True: deque()}
        self._taken = {False: 0, True: 0}
        self._last_request = clock() - _QUIET_SECONDS

    @asynccontextmanager
    async def taken(self, is_job: bool) -> AsyncIterator[None]:
        """Wait for a slot, after the earlier calls of the class, and hold it."""
        granted = asyncio.get_running_loop().create_future()
        self._waiting[is_job].append(granted)
        self._serve()
        try:
            await granted
            yield
        finally:
            if granted.done() and not granted.cancelled():
                self._release(is_job)
            self._serve()

    def _release(self, is_job: bool) -> None:
        self._taken[is_job] -= 1
        if not is_job:
            self._last_request = self._clock()

    def _serve(self) -> None:
        for is_job in (False, True):
            waiting = self._waiting[is_job]
            while waiting and (waiting[0].cancelled() or self._has_room(is_job)):
                granted = waiting.popleft()
                if not granted.cancelled():
                    self._taken[is_job] += 1
                    granted.set_result(None)

    def _has_room(self, is_job: bool) -> bool:
        if sum(self._taken.values()) >= self._limit:
            return False
        return not is_job or self._taken[True] < _BESIDE_REQUESTS or self._is_quiet

    @property
    def _is_quiet(self) -> bool:
        return not self._taken[False] and self._clock() - self._last_request >= _QUIET_SECONDS
