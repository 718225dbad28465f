"""Places for work that runs at the same time, granted first come, first served."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Lane:
    """A number of places; unlike `asyncio.Semaphore`, it belongs to no event loop."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    def try_take(self) -> bool:
        """Take a place if one is free; return whether it was."""
        if self.taken == self.places:
            return False
        self.taken += 1
        return True

    async def take(self) -> None:
        """Wait for a place."""
        if not self._queue and self.try_take():
            return
        granted = asyncio.get_running_loop().create_future()
        self._queue.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give up a place, to the first who waits."""
        while self._queue:
            granted = self._queue.popleft()
            if not granted.done():
                granted.set_result(None)
                return
        self.taken -= 1


class Place:
    """A place in a lane for the duration of an `async with` block."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def __aenter__(self) -> Self:
        await self._lane.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lane.release()

    def move_to(self, lane: Lane) -> bool:
        """Change to another lane if it has a free place; return whether it had."""
        if not lane.try_take():
            return False
        self._lane.release()
        self._lane = lane
        return True
