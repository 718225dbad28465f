"""Who is let in, whose page is next, and when a request's time is over.

Every request for a document is a visit: it comes in, its document arrives and is held in memory, its pages
take places in turn, it leaves. All of that is bounded, and what would go beyond is refused at once.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ocr_service.admission.page_slots import Places
from ocr_service.core.errors import Draining, NotAdmitted, Overloaded, RequestTimedOut

T = TypeVar("T")

# What callers are told before anything is known of the speed; and at most.
_FIRST_RETRY_AFTER, _LONGEST_RETRY_AFTER = 10, 600
# How long visits that are ended may take to say so.
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be going on at a time.

    pages, pixels: decoded or being read. document_bytes: of documents as they came. waiting: visits of which
    no page is being read. seconds: that a visit may take once its document has arrived.
    """

    pages: int
    pixels: int
    document_bytes: int
    waiting: int
    seconds: float


class Admission:
    """Owns what is going on; belongs to one event loop.

    places: for pages. document_bytes: held just now. draining: whether nobody is let in any more.
    refused: visits refused so far, by the error's code.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.places = Places(bounds.pages, bounds.pixels)
        self.document_bytes = 0
        self.draining = False
        self.refused: Counter[str] = Counter({Overloaded.code: 0, Draining.code: 0})
        self._visits: set[Visit] = set()
        self._reading: set[Turns] = set()
        self._left = asyncio.Event()

    @property
    def visits(self) -> int:
        """Requests that have come in, those included whose document is still arriving."""
        return len(self._visits)

    @property
    def waiting(self) -> int:
        """Requests whose document has arrived, and of which no page is being read."""
        arrived = sum(visit.has_arrived for visit in self._visits)
        return max(0, arrived - sum(turns.in_flight > 0 for turns in self._reading))

    @property
    def pages_ahead(self) -> int:
        """Pages of opened documents that are still to be read."""
        return sum(turns.ahead for turns in self._reading)

    @contextmanager
    def visit(self) -> Iterator["Visit"]:
        """Let a request in until it is answered; raises Overloaded or Draining."""
        if self.draining:
            raise self._counted(Draining("The service is stopping; another one, or the same, is there soon."))
        self.refuse_if_full()
        visit = Visit(self)
        self._visits.add(visit)
        try:
            yield visit
        finally:
            self._visits.discard(visit)
            self.document_bytes -= visit.held
            self._left.set()

    @contextmanager
    def turns(self, pages: int) -> Iterator["Turns"]:
        """Let a document's pages take places, each in its turn."""
        turns = Turns(self.places, pages)
        self._reading.add(turns)
        try:
            yield turns
        finally:
            self._reading.discard(turns)

    def refuse_if_full(self) -> None:
        """Raise Overloaded where one more cannot even wait."""
        if self.waiting >= self.bounds.waiting:
            raise self.overloaded(f"{self.bounds.waiting} requests are waiting already")

    def overloaded(self, why: str) -> NotAdmitted:
        """Make the refusal of what is too much; it says when that which waits now should be done."""
        return self._counted(Overloaded(f"{why}; come back later.", self._retry_after()))

    async def drain(self, seconds: float) -> None:
        """Let nobody in any more, and wait until all have left; who has not by then is told to."""
        self.draining = True
        if await self._emptied(seconds):
            return
        for visit in self._visits:
            visit.end()
        await self._emptied(_LAST_WORDS_SECONDS)

    async def _emptied(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while self._visits:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True

    def _counted(self, refusal: NotAdmitted) -> NotAdmitted:
        self.refused[refusal.code] += 1
        return refusal

    def _retry_after(self) -> int:
        speed = self.places.pages_a_second
        seconds = math.ceil(self.pages_ahead / speed) if speed else _FIRST_RETRY_AFTER
        return min(max(seconds, 1), _LONGEST_RETRY_AFTER)


class Visit:
    """One request, from its headers to its answer. has_arrived: its document is here. held: bytes of it."""

    def __init__(self, admission: Admission) -> None:
        self.has_arrived = False
        self.held = 0
        self._admission = admission
        self._seconds = admission.bounds.seconds
        # On the event loop's clock; None until the document has arrived.
        self._deadline: float | None = None
        self._running: asyncio.Timeout | None = None

    def hold(self, count: int) -> None:
        """Count bytes that are about to be held in memory; raises Overloaded where they are too many."""
        admission = self._admission
        # One document alone always has room: how large it may be is for others to say.
        is_alone = admission.document_bytes == self.held
        if not is_alone and admission.document_bytes + count > admission.bounds.document_bytes:
            raise admission.overloaded("The documents of other requests fill the memory")
        admission.document_bytes += count
        self.held += count

    def start_clock(self, seconds: float | None = None) -> None:
        """Let the clock run; raises Overloaded where the waiting room is full by now.

        seconds: what the caller wants to wait; the service's own limit where it is None, or longer.
        """
        self._admission.refuse_if_full()
        self.has_arrived = True
        self._seconds = min(self._seconds, seconds or math.inf)
        self._end_after(self._seconds)

    def end(self) -> None:
        """End what is awaited in time, now: the service stops."""
        self._end_after(0)

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Cancel what is awaited inside when the time is over; raises RequestTimedOut, or Draining."""
        try:
            async with asyncio.timeout_at(self._deadline) as self._running:
                yield
        except TimeoutError:
            assert self._running is not None
            if not self._running.expired():
                raise
            raise self._out_of_time() from None
        finally:
            self._running = None

    async def each(self, items: AsyncGenerator[T]) -> AsyncGenerator[T]:
        """Yield the items, each awaited in time; what is done with them meanwhile is not."""
        while True:
            async with self.in_time():
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item

    def _end_after(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        if self._running is not None and not self._running.expired():
            self._running.reschedule(self._deadline)

    def _out_of_time(self) -> Draining | RequestTimedOut:
        if self._admission.draining:
            return Draining("The service had to stop before the document was read.")
        return RequestTimedOut(f"The document was not read within {self._seconds:g} s.")


class Turns:
    """One document's pages: `ahead` are not done yet, of which `in_flight` have places."""

    def __init__(self, places: Places, pages: int) -> None:
        self.ahead = pages
        self.in_flight = 0
        self._places = places

    async def take(self, pixels: int) -> None:
        """Wait for a page's place; documents take turns, as each asks for one place at a time."""
        await self._places.take(pixels)
        self.in_flight += 1

    def give_back(self, pixels: int) -> None:
        """Let go of a page's place."""
        self.in_flight -= 1
        self.ahead -= 1
        self._places.give_back(pixels)
