"""Steps on the event loop that are spread over time, so that other work has its turn between them."""

import time
from collections.abc import Callable


class Pace:
    """Turns for steps, one after the other. seconds: from each to the next. clock: in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last = 0.0

    def pause(self) -> float:
        """Take the next turn, and return the seconds until it."""
        now = self._clock()
        self._last = max(self._last, now) + self._seconds
        return self._last - now
