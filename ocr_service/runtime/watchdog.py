"""A watchdog that detects a blocked event loop."""

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable

from ocr_service.telemetry.logs import fields

log = logging.getLogger(__name__)

_BEAT_SECONDS = 0.5
# A probe that arrives during a stall is answered after it, so the stall is reported for a while.
_REPORT_SECONDS = 10.0


class Watchdog:
    """Measures the time between heartbeats of the event loop.

    limit: seconds without a heartbeat that count as a stall. clock: returns seconds.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._last_beat = clock()
        self._stall_seconds, self._stall_ended = 0.0, -math.inf

    @property
    def recent_stall(self) -> float | None:
        """Length in seconds of a stall that ended a short time ago, or None."""
        is_recent = self._clock() < self._stall_ended + _REPORT_SECONDS
        return self._stall_seconds if is_recent else None

    async def run(self) -> None:
        """Send heartbeats until cancelled; a thread logs each stall while it lasts."""
        stopped = threading.Event()
        loop_thread = threading.get_ident()
        threading.Thread(
            target=self._watch, args=(stopped, loop_thread), name="watchdog", daemon=True
        ).start()
        try:
            self._last_beat = self._clock()
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                self.beat()
        finally:
            stopped.set()

    def beat(self) -> None:
        """Record a heartbeat, and a stall if the previous one was too long ago."""
        now = self._clock()
        if now - self._last_beat > self._limit:
            self._stall_seconds, self._stall_ended = now - self._last_beat, now
        self._last_beat = now

    def _watch(self, stopped: threading.Event, loop_thread: int) -> None:
        reported = None
        while not stopped.wait(self._limit / 2):
            last_beat = self._last_beat
            if self._clock() - last_beat > self._limit and last_beat != reported:
                reported = last_beat
                frames = sys._current_frames()  # noqa: SLF001 - a documented function, despite its name
                stack = "".join(traceback.format_stack(frames.get(loop_thread)))
                log.critical(
                    "the event loop has been blocked for more than %g s",
                    self._limit,
                    extra=fields(stack=stack),
                )
