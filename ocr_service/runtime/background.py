"""What runs beside the requests for the service's whole life, and whether it still does."""

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from ocr_service.telemetry.logs import fields

log = logging.getLogger(__name__)

_BEAT_SECONDS = 0.5
# For how long a pause that is over is told of: whoever asked during it is answered after it.
_TOLD_SECONDS = 10.0


class Background:
    """Tasks by name. dead: the names of those that an error has ended."""

    def __init__(self) -> None:
        self.dead: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until `stop`; it may end by itself, but not by an error."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel what runs, and wait for its end."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.dead.append(task.get_name())
            log.critical("%s has died; the service must be started again", task.get_name(), exc_info=error)


class Pulse:
    """Feels whether the event loop runs. limit: seconds that it may stand still. clock: seconds."""

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._last_beat = clock()
        # The last one beyond the limit: how long it was, and when it ended.
        self._pause, self._pause_ended = 0.0, -math.inf

    @property
    def stood_still(self) -> float | None:
        """Seconds for which the loop stood still just now, where that was longer than the limit."""
        lately = self._clock() < self._pause_ended + _TOLD_SECONDS
        return self._pause if lately else None

    async def run(self) -> None:
        """Beat until cancelled; meanwhile a thread writes into the log where the loop stands still."""
        ended = threading.Event()
        loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, args=(ended, loop_thread), name="pulse", daemon=True).start()
        try:
            self._last_beat = self._clock()
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                self.beat()
        finally:
            ended.set()

    def beat(self) -> None:
        """Notice how long ago the last beat was."""
        now = self._clock()
        if now - self._last_beat > self._limit:
            self._pause, self._pause_ended = now - self._last_beat, now
        self._last_beat = now

    def _watch(self, ended: threading.Event, loop_thread: int) -> None:
        told = None
        while not ended.wait(self._limit / 2):
            last_beat = self._last_beat
            if self._clock() - last_beat > self._limit and last_beat != told:
                told = last_beat
                frames = sys._current_frames()  # noqa: SLF001 - documented, in spite of its name
                where = "".join(traceback.format_stack(frames.get(loop_thread)))
                told_beside = fields(stack=where)
                log.critical("the event loop stands still for more than %g s", self._limit, extra=told_beside)
