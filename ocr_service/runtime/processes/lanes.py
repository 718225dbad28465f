"""Places for work that runs at the same time; callers take turns."""

import asyncio
from types import TracebackType
from typing import Self

from ocr_service.core.turns import Caller, Turns


class Lane:
    """A number of places; unlike `asyncio.Semaphore`, it belongs to no event loop.

    spare: further places, each for a request whose caller has no place in this lane.
    """

    def __init__(self, places: int, spare: int = 0) -> None:
        self.places = places
        self.taken = 0
        self._spare = spare
        self._turns: Turns[asyncio.Future[None]] = Turns()

    @property
    def uses_spare(self) -> bool:
        """Whether more places are taken than the lane has without the spare ones."""
        return self.taken > self.places

    def try_take(self, caller: Caller) -> bool:
        """Take a place if one is free; return whether it was."""
        if not self._has_room(caller):
            return False
        self._hold(caller)
        return True

    async def take(self, caller: Caller) -> None:
        """Wait for a place."""
        granted = asyncio.get_running_loop().create_future()
        self._turns.add(caller, granted)
        self._serve()
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self.release(caller)
            raise

    def release(self, caller: Caller) -> None:
        """Give up a place of a caller, to the one whose turn it is."""
        self.taken -= 1
        self._turns.let_go(caller)
        self._serve()

    def _hold(self, caller: Caller) -> None:
        self.taken += 1
        self._turns.hold(caller)

    def _serve(self) -> None:
        while first := self._turns.first:
            caller, granted = first
            if not granted.cancelled():
                if not self._has_room(caller):
                    return
                self._hold(caller)
                granted.set_result(None)
            self._turns.take(caller)

    def _has_room(self, caller: Caller) -> bool:
        is_new = not caller.is_job and not self._turns.held(caller)
        return self.taken < self.places + (self._spare if is_new else 0)


class Place:
    """A place in a lane for the duration of an `async with` block."""

    def __init__(self, lane: Lane, caller: Caller) -> None:
        self._lane = lane
        self._caller = caller

    async def __aenter__(self) -> Self:
        await self._lane.take(self._caller)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lane.release(self._caller)

    def move_to(self, lane: Lane) -> bool:
        """Change to another lane if it has a free place; return whether it had."""
        if not lane.try_take(self._caller):
            return False
        self._lane.release(self._caller)
        self._lane = lane
        return True
