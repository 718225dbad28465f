"""Admission of requests, slots for their pages, their deadlines, and the drain.

A request for a document is a visit: it is admitted, its document arrives and is held in memory, its pages
take slots, and it ends with its answer. Each step has a limit; a request beyond a limit is refused at once.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ocr_service.admission.memory import DocumentMemory, Share
from ocr_service.admission.page_queue import PageQueue
from ocr_service.admission.page_slots import PageSlots
from ocr_service.core.errors import Draining, NotAdmitted, Overloaded, RequestError, RequestTimedOut
from ocr_service.core.progress import Progress
from ocr_service.core.turns import UNKNOWN, Caller

T = TypeVar("T")

ABORT_SECONDS = 6.0
"""Time for a request that times out during shutdown to send its error."""

# Retry-After, in seconds, before the speed is known; and the upper limit.
_DEFAULT_RETRY_AFTER, _MAX_RETRY_AFTER = 10, 600
# Beyond the backlog, as a part of it, for requests whose callers have no other.
_SPARE_WAITING = 0.25


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on concurrent work.

    pages, pixels: decoded or recognized at a time.
    document_bytes: total size of the documents and of the unread answers in memory.
    waiting: requests without a page in a slot.
    seconds: deadline of a request, from the arrival of its document.
    job_pages: pages of jobs at a time while requests are read; None for all of `pages`.
    """

    pages: int
    pixels: int
    document_bytes: int
    waiting: int
    seconds: float
    job_pages: int | None = None


class Admission:
    """Admits requests and owns the state of their limits; belongs to one event loop.

    slots: for pages. memory: for documents. draining: no request is admitted any more.
    refused: number of refused requests, by error code. answer_bytes: returns the bytes of answers in memory.
    """

    def __init__(self, bounds: Bounds, answer_bytes: Callable[[], int] = lambda: 0) -> None:
        self.bounds = bounds
        self.slots = PageSlots(bounds.pages, bounds.pixels, bounds.job_pages)
        self.memory = DocumentMemory(bounds.document_bytes, answer_bytes, self.overloaded)
        self.draining = False
        self.refused: Counter[str] = Counter({Overloaded.code: 0, Draining.code: 0})
        self._visits: set[Visit] = set()
        self._queues: set[PageQueue] = set()
        self._left = asyncio.Event()

    @property
    def visits(self) -> int:
        """Admitted requests, also if their document is still arriving."""
        return len(self._visits)

    @property
    def waiting(self) -> int:
        """Requests whose document has arrived, but of which no page has a slot."""
        arrived = sum(visit.has_document for visit in self._visits)
        return max(0, arrived - sum(queue.in_flight > 0 for queue in self._queues))

    @property
    def pages_ahead(self) -> int:
        """Pages of the documents of requests that are not done yet."""
        return sum(queue.ahead for queue in self._queues)

    @contextmanager
    def visit(self, waits: bool = True, caller: Caller = UNKNOWN) -> Iterator["Visit"]:
        """Admit a request of a caller until it is answered; raises Overloaded or Draining.

        waits: whether the request waits for its pages; if not, a full backlog does not concern it.
        """
        if self.draining:
            raise self._counted(Draining("The service is stopping. Retry in a few seconds."))
        if waits:
            self.refuse_if_full(caller)
        with self.memory.share() as memory:
            visit = Visit(self, memory, caller)
            self._visits.add(visit)
            try:
                yield visit
            finally:
                self._visits.discard(visit)
                self._left.set()

    @contextmanager
    def page_queue(self, pages: int, caller: Caller = UNKNOWN) -> Iterator[PageQueue]:
        """Queue the pages of one document of a caller for slots."""
        queue = PageQueue(self.slots, pages, caller)
        if caller.is_job:
            yield queue
            return
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def refuse_if_full(self, caller: Caller = UNKNOWN) -> None:
        """Raise Overloaded if the backlog is full; there is more room for a caller without a request."""
        has_others = any(visit.has_document and visit.caller == caller for visit in self._visits)
        spare = 0 if has_others else math.ceil(self.bounds.waiting * _SPARE_WAITING)
        if self.waiting >= self.bounds.waiting + spare:
            raise self.overloaded(f"The backlog is full: {self.bounds.waiting} requests are waiting")

    def overloaded(self, reason: str) -> NotAdmitted:
        """Build the Overloaded error; Retry-After comes from the backlog."""
        return self._counted(Overloaded(f"{reason}. Retry later.", self._retry_after()))

    async def drain(self, seconds: float) -> None:
        """Admit no more requests and wait for the admitted ones; after the given time, end them."""
        self.draining = True
        if await self._emptied(seconds):
            return
        for visit in self._visits:
            visit.end()
        await self._emptied(ABORT_SECONDS)

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
        speed = self.slots.pages_a_second
        seconds = math.ceil(self.pages_ahead / speed) if speed else _DEFAULT_RETRY_AFTER
        return min(max(seconds, 1), _MAX_RETRY_AFTER)


class Visit:
    """One request, from its headers to its answer.

    memory: for its document. caller: the sender. has_document: it has arrived. progress: of its reading.
    """

    def __init__(self, admission: Admission, memory: Share, caller: Caller) -> None:
        self.memory = memory
        self.caller = caller
        self.has_document = False
        self._admission = admission
        self._seconds = admission.bounds.seconds
        # On the clock of the event loop; None until the document has arrived.
        self._deadline: float | None = None
        self._running: asyncio.Timeout | None = None
        self.progress = Progress()

    def start_clock(self, seconds: float | None = None) -> None:
        """Start the deadline, because the document has arrived; raises Overloaded if the backlog is full.

        seconds: deadline that the request asks for; raises RequestError if it is later than the limit.
        """
        if seconds and seconds > self._seconds:
            raise RequestError(f"timeout: the limit is {self._seconds:g} s, the setting OCR_REQUEST_TIMEOUT.")
        self._admission.refuse_if_full(self.caller)
        self.has_document = True
        self._seconds = seconds or self._seconds
        self._end_after(self._seconds)

    def end(self) -> None:
        """Let the deadline pass now, because the service is stopping."""
        self._end_after(0)

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Cancel the block at the deadline and raise RequestTimedOut, or Draining during a drain."""
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
        """Yield the items; the deadline applies to the wait for an item, not to its use."""
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
        limit = f"{self._seconds:g} s"
        if self._seconds == self._admission.bounds.seconds:
            limit += " (OCR_REQUEST_TIMEOUT)"
        return RequestTimedOut(f"The document was not read within {limit}; {self.progress}.")
