"""The memory that the documents of all requests and jobs share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ocr_service.core.errors import NotAdmitted


class DocumentMemory:
    """Limits the bytes in memory; belongs to one event loop. held: bytes of documents now.

    limit: bytes of documents and of unread answers. answer_bytes: returns those of the answers.
    overloaded: makes the error for bytes that have no room.
    """

    def __init__(
        self, limit: int, answer_bytes: Callable[[], int], overloaded: Callable[[str], NotAdmitted]
    ) -> None:
        self.held = 0
        self.overloaded = overloaded
        self.limit = limit
        self._answer_bytes = answer_bytes

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Count the bytes of one request or job until its end."""
        share = Share(self)
        try:
            yield share
        finally:
            share.release(share.held)

    def has_room(self, count: int) -> bool:
        """Return whether so many further bytes fit beside the documents and the answers."""
        return self.held + self._answer_bytes() + count <= self.limit


class Share:
    """Bytes that one request or job holds in memory. held: their number."""

    def __init__(self, memory: DocumentMemory) -> None:
        self.held = 0
        self._memory = memory

    def require(self, count: int) -> None:
        """Raise Overloaded if so many further bytes have no room."""
        # A single document always has room. Other limits apply to its size.
        is_alone = self._memory.held == self.held
        if not is_alone and not self._memory.has_room(count):
            raise self._memory.overloaded("The documents and answers of other requests fill the memory")

    def hold(self, count: int) -> None:
        """Count bytes before they are held; raises Overloaded if they have no room."""
        self.require(count)
        self.take(count)

    def take(self, count: int) -> None:
        """Count bytes that are never refused."""
        self._memory.held += count
        self.held += count

    def release(self, count: int) -> None:
        """Count bytes that are no longer held."""
        self.take(-count)
