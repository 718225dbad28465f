"""Lazy start of an engine: one attempt shared by all callers; after a failure, retries are limited."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

from ocr_service.core.engine import EngineState
from ocr_service.core.errors import EngineUnavailable
from ocr_service.telemetry.logs import WITH_TEXT

log = logging.getLogger(__name__)

RETRY_PAUSE = 10.0
"""Seconds between a failed start and the next attempt."""


class LazyStart:
    """State of the start: all callers of `ensure` wait for the same attempt.

    name: name in the log.
    start: starts the engine; raises EngineUnavailable with a sentence for the caller.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._start = start
        self._clock = clock
        self._attempt: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._failed_at = 0.0
        self.state = EngineState.NOT_INITIALIZED

    async def ensure(self) -> None:
        """Return once started; raises EngineUnavailable, at once within RETRY_PAUSE of a failure.

        Cancelling a caller does not cancel the attempt, because other callers may wait for it.
        """
        if self.state is EngineState.READY:
            return
        if self._attempt is None:
            self._check_retry_pause()
            self._attempt = asyncio.create_task(self._try_once())
        try:
            await asyncio.shield(self._attempt)
            return
        except EngineUnavailable as error:
            detail, retry_after = error.detail, error.retry_after
        # Each caller gets its own error: the traceback of a shared one would hold the pages of all callers.
        raise EngineUnavailable(detail, retry_after)

    async def cancel(self) -> None:
        """Cancel the current attempt, if there is one."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)

    def _check_retry_pause(self) -> None:
        wait = self._failed_at + RETRY_PAUSE - self._clock()
        if self._failure is not None and wait > 0:
            raise EngineUnavailable(self._failure, retry_after=max(1, round(wait)))

    async def _try_once(self) -> None:
        self.state = EngineState.INITIALIZING
        started = self._clock()
        try:
            await self._start()
        except asyncio.CancelledError:
            self.state = EngineState.NOT_INITIALIZED
            raise
        except EngineUnavailable as error:
            self._fail(error, ": ".join(map(str, _causes(error))) or str(error))
            raise
        except Exception as error:
            failure = EngineUnavailable(f"{self._name} could not be started; the reason is in the log.")
            self._fail(failure, type(error).__name__, unexpected=error)
            raise failure from error
        else:
            self.state, self._failure = EngineState.READY, None
            log.info("%s is ready after %.1f s", self._name, self._clock() - started)
        finally:
            self._attempt = None

    def _fail(self, failure: EngineUnavailable, reason: str, unexpected: Exception | None = None) -> None:
        self._failure, self._failed_at = failure.detail, self._clock()
        self.state = EngineState.UNAVAILABLE
        log.error("Failed to initialize %s: %s", self._name, reason, exc_info=unexpected, extra=WITH_TEXT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes below our own error: libraries wrap the reason in general messages."""
    while error.__cause__ is not None:
        error = error.__cause__
        yield error
