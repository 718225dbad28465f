"""Turns of callers: many waiting pages or documents of one caller do not delay those of another."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of documents, with whom other callers take turns.

    owner: of the API key; "" if there are no keys. is_job: the document belongs to a job, behind requests.
    address: of the client if there are no keys; "" for a job.
    """

    owner: str = ""
    is_job: bool = False
    address: str = ""


UNKNOWN = Caller()
"""A sender that is not told from others."""


class Turns(Generic[T]):
    """The waiting items of callers, and the number of places that each caller holds.

    The next place goes to the caller with the fewest; callers with equally many take turns.
    """

    def __init__(self) -> None:
        # The caller whose turn was longest ago comes first.
        self._waiting: dict[Caller, deque[T]] = {}
        self._held: Counter[Caller] = Counter()

    @property
    def first(self) -> tuple[Caller, T] | None:
        """The caller whose turn it is, and the first item of this caller."""
        if not self._waiting:
            return None
        caller = min(self._waiting, key=self.held)
        return caller, self._waiting[caller][0]

    def add(self, caller: Caller, item: T) -> None:
        """Let an item of a caller wait for a place, after the earlier ones of this caller."""
        self._waiting.setdefault(caller, deque()).append(item)

    def take(self, caller: Caller) -> T:
        """Remove the first item of a caller, and return it; the next turn is that of another caller."""
        queue = self._waiting.pop(caller)
        item = queue.popleft()
        if queue:
            self._waiting[caller] = queue
        return item

    def held(self, caller: Caller) -> int:
        """Return the number of places that a caller holds."""
        return self._held[caller]

    def hold(self, caller: Caller) -> None:
        """Count a place of a caller."""
        self._held[caller] += 1

    def let_go(self, caller: Caller) -> None:
        """Count a place less."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
