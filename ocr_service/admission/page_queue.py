"""The pages of one document on their way through the slots."""

from ocr_service.admission.page_slots import PageSlots


class PageQueue:
    """The pages of one document: `ahead` are not done yet, and `in_flight` of these have slots.

    owner: of the job that the document belongs to; None for a request.
    """

    def __init__(self, slots: PageSlots, pages: int, owner: str | None = None) -> None:
        self.ahead = pages
        self.in_flight = 0
        self._slots = slots
        self._owner = owner

    async def acquire(self, pixels: int) -> None:
        """Wait for a slot. Documents take turns, because each asks for one slot at a time."""
        await self._slots.acquire(pixels, self._owner)
        self.in_flight += 1

    def release(self, pixels: int) -> None:
        """Release the slot of a page that is done."""
        self.in_flight -= 1
        self.ahead -= 1
        self._slots.release(pixels, self._owner)
