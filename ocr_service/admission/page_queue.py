"""The pages of one document on their way through the slots."""

import asyncio

from ocr_service.admission.page_slots import PageSlots
from ocr_service.core.turns import Caller


class PageQueue:
    """The pages of one document: `ahead` are not done yet, and `in_flight` of these have slots.

    caller: the sender of the document.
    """

    def __init__(self, slots: PageSlots, pages: int, caller: Caller) -> None:
        self.ahead = pages
        self.in_flight = 0
        self._slots = slots
        self._caller = caller
        # Pages that gave their slots back for a while.
        self._away = 0
        self._none_away = asyncio.Event()
        self._none_away.set()

    async def acquire(self, pixels: int) -> "PageSlot":
        """Wait for a slot. Documents take turns, because each asks for one slot at a time.

        While pages of this document take long, it starts no others.
        """
        await self._none_away.wait()
        await self._slots.acquire(pixels, self._caller)
        self.in_flight += 1
        return PageSlot(self, pixels)

    def give_back(self, pixels: int) -> None:
        """Release a slot for a while; see `PageSlot`."""
        self.in_flight -= 1
        self._away += 1
        self._none_away.clear()
        self._slots.give_back(pixels, self._caller)

    async def take_again(self, pixels: int) -> None:
        """Wait for the slot of a page that gave its own back."""
        await self._slots.acquire(pixels, self._caller)
        self.in_flight += 1
        self._back()

    def done(self, pixels: int, *, has_slot: bool) -> None:
        """Record the end of a page."""
        self.ahead -= 1
        if has_slot:
            self.in_flight -= 1
            self._slots.release(pixels, self._caller)
        else:
            self._back()

    def _back(self) -> None:
        self._away -= 1
        if not self._away:
            self._none_away.set()


class PageSlot:
    """The slot of one page, from `PageQueue.acquire` to `end`."""

    def __init__(self, queue: PageQueue, pixels: int) -> None:
        self._queue = queue
        self._pixels = pixels
        self._is_held = True

    def give_back(self) -> None:
        """Let other pages have the slot while this one takes long; a second call changes nothing."""
        if self._is_held:
            self._is_held = False
            self._queue.give_back(self._pixels)

    async def take_again(self) -> None:
        """Wait for a slot if this page gave its own back."""
        if not self._is_held:
            await self._queue.take_again(self._pixels)
            self._is_held = True

    def end(self) -> None:
        """Release the slot, because the page is done."""
        self._queue.done(self._pixels, has_slot=self._is_held)
