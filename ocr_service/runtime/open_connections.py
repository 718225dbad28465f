"""All connections of the server: bounds on their number, and on the bytes of answers that nobody reads.

When a bound is exceeded, the connection whose client is slowest is closed, so that the others are answered.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from ocr_service.telemetry import metrics

log = logging.getLogger(__name__)

# Seconds between two log lines about the same bound.
_LOG_INTERVAL = 60.0


class Closable(Hashable, Protocol):
    """A connection."""

    @property
    def unread(self) -> int:
        """Bytes of the answer that wait until the client reads them."""

    def abort(self) -> None:
        """Close the connection at once."""


@dataclass(frozen=True, slots=True)
class _Stall:
    """The start of a wait for a reader."""

    since: float
    unread: int

    def rate(self, now: float, unread: int) -> float:
        """Return the bytes per second that the client has read; a new stall counts as a fast one."""
        return (self.unread - unread + 1) / (now - self.since + 1)


class OpenConnections:
    """Belongs to one event loop.

    max_count: connections. max_unread: bytes of answers, in connections whose client has stopped reading.
    clock: in seconds.
    """

    def __init__(self, max_count: int, max_unread: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_count = max_count
        self._max_unread = max_unread
        self._clock = clock
        self._open: set[Closable] = set()
        # Connections whose client has to send or to read something; the longest wait is first.
        self._waiting: OrderedDict[Closable, None] = OrderedDict()
        self._stalls: dict[Closable, _Stall] = {}
        self._logged: dict[str, float] = {}

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._open)

    @property
    def unread(self) -> int:
        """Bytes of answers that wait until their clients read them."""
        return sum(connection.unread for connection in self._stalls)

    def add(self, connection: Closable) -> None:
        """Add a new connection, and close another one if there are too many."""
        self._open.add(connection)
        self.wait(connection)
        if len(self._open) > self.max_count:
            self._close(next(iter(self._waiting)), "idle", f"There are {self.max_count} connections")

    def remove(self, connection: Closable) -> None:
        """Remove a connection that is closed."""
        self._open.discard(connection)
        self.work(connection)
        self.read(connection)

    def wait(self, connection: Closable) -> None:
        """Note that the service waits for the client from now on."""
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)

    def work(self, connection: Closable) -> None:
        """Note that the client waits for the service."""
        self._waiting.pop(connection, None)

    def stall(self, connection: Closable) -> None:
        """Note that the client reads slower than the answer is sent, and close others if too much waits."""
        self._stalls[connection] = _Stall(self._clock(), connection.unread)
        # A single answer always has room.
        while len(self._stalls) > 1 and self.unread > self._max_unread:
            now = self._clock()
            slowest = min(self._stalls, key=lambda each: self._stalls[each].rate(now, each.unread))
            self._close(
                slowest, "unread", f"Answers of {self._max_unread // 2**20} MiB wait for their readers"
            )

    def read(self, connection: Closable) -> None:
        """Note that the client has read the answer, up to a small rest."""
        self._stalls.pop(connection, None)

    def _close(self, connection: Closable, reason: str, state: str) -> None:
        now = self._clock()
        if now - self._logged.get(reason, -_LOG_INTERVAL) >= _LOG_INTERVAL:
            self._logged[reason] = now
            log.warning("%s, which is the limit: the slowest clients are disconnected", state)
        metrics.connections_closed.labels(reason).inc()
        self.remove(connection)
        connection.abort()
