"""Start something heavy once, lazily, whoever asks; after a failure, try again but not too often."""

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
    """Owns the state of one start: every caller of `ensure` waits for the same attempt.

    name: what is started, as the log calls it.
    start: does the work; raises EngineUnavailable with a sentence for the caller.
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

        A caller that is cancelled does not cancel the attempt, which others may wait for.
        """
        if self.state is EngineState.READY:
            return
        if self._attempt is None:
            self._refuse_too_early()
            self._attempt = asyncio.create_task(self._try_once())
        try:
            await asyncio.shield(self._attempt)
            return
        except EngineUnavailable as error:
            detail, retry_after = error.detail, error.retry_after
        # An error of each caller's own: one shared by all would hold what each of them has in hand.
        raise EngineUnavailable(detail, retry_after)

    async def cancel(self) -> None:
        """Give up an attempt that is under way."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)

    def _refuse_too_early(self) -> None:
        wait = self._failed_at + RETRY_PAUSE - self._clock()
        if self._failure is not None and wait > 0:
            raise EngineUnavailable(self._failure, retry_after=max(1, round(wait)))

    async def _try_once(self) -> None:
        self.state = EngineState.INITIALIZING
        began = self._clock()
        try:
            await self._start()
        except asyncio.CancelledError:
            self.state = EngineState.NOT_INITIALIZED
            raise
        except EngineUnavailable as error:
            self._fail(error, ": ".join(map(str, _causes(error))) or str(error))
            raise
        except Exception as error:
            failure = EngineUnavailable(f"{self._name} could not be started; the log says why.")
            self._fail(failure, type(error).__name__, unexpected=error)
            raise failure from error
        else:
            self.state, self._failure = EngineState.READY, None
            log.info("%s is ready after %.1f s", self._name, self._clock() - began)
        finally:
            self._attempt = None

    def _fail(self, failure: EngineUnavailable, reason: str, unexpected: Exception | None = None) -> None:
        self._failure, self._failed_at = failure.detail, self._clock()
        self.state = EngineState.UNAVAILABLE
        log.error("Failed to initialize %s: %s", self._name, reason, exc_info=unexpected, extra=WITH_TEXT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk what lies below our own error: libraries hide the reason under sentences of their own."""
    while error.__cause__ is not None:
        error = error.__cause__
        yield error
