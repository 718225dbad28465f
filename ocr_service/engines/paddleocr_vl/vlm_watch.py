"""Health checks of the vLLM server: its state, its model, its latency."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

import aiohttp

from ocr_service.core.engine import VlmState, VlmStatus
from ocr_service.core.errors import VlmUnavailable
from ocr_service.engines.paddleocr_vl.presence import MODEL_FAMILY, ServedModel, served_model
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient, failure_reason
from ocr_service.engines.paddleocr_vl.vlm_progress import VlmProgress
from ocr_service.engines.paddleocr_vl.vlm_refusals import key_hint

log = logging.getLogger(__name__)

STARTUP_SECONDS = 900.0
"""Seconds for which a server that has never answered counts as starting: it may download and compile."""
_SILENCE_SECONDS = 10.0
"""Seconds without an answer for which a ready server stays ready: a large body delays its answers."""


class _Hung(VlmUnavailable):
    """Its health check succeeds, and its engine stands still."""


class _KeyRefused(VlmUnavailable):
    """It runs, and does not accept our key."""


class VlmWatch:
    """Checks the server every few seconds; `status` is the result of the last check.

    interval: seconds between checks. max_seconds: time limit of one check.
    lost_after: seconds of checks without an answer, after which the calls in flight are cancelled.
    hung_after: seconds without progress, with calls in flight, after which they are cancelled too.
    restart_after: seconds without an answer or progress, after which `restart` is called; None: never.
    not_started: reason why start.sh does not start vLLM; if it is set, the server never counts as starting.
    """

    def __init__(
        self,
        client: VlmClient,
        interval: float = 3.0,
        max_seconds: float = 2.0,
        lost_after: float = 20.0,
        hung_after: float = 60.0,
        restart_after: float | None = None,
        restart: Callable[[], None] = lambda: None,
        not_started: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._interval = interval
        self._max_seconds = max_seconds
        self._lost_after = lost_after
        self._hung_after = hung_after
        self._restart_after = restart_after
        self._restart = restart
        self._is_hung = self._restart_requested = False
        self._progress = VlmProgress(client, max_seconds + interval, clock)
        self._not_started = not_started and f"it is not started here: {not_started}"
        self._clock = clock
        self._started = clock()
        self._was_ready = False
        # Number of failures. The server may serve another model after a restart, so the name of the model is
        # requested again after each failure.
        self._failures = 1
        self._failures_at_last_success = 0
        self._silent_since: float | None = None
        self._task: asyncio.Task[None] | None = None
        state = VlmState.UNAVAILABLE if not_started else VlmState.STARTING
        self.status = VlmStatus(state, client.address.without_credentials, error=self._not_started)

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(self._interval)

    async def check(self, max_seconds: float | None = None) -> None:
        """Check once; concurrent callers share one check, and cancelling one of them does not end it."""
        await asyncio.shield(self._begin_check(max_seconds or self._max_seconds))

    def report_failure(self) -> None:
        """Check at once, including the model, because a call has failed."""
        self._failures += 1
        self._begin_check(self._max_seconds)

    async def close(self) -> None:
        """Cancel the current check, if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin_check(self, max_seconds: float) -> "asyncio.Task[None]":
        if self._task is None:
            self._task = asyncio.create_task(self._check(max_seconds))
            self._task.add_done_callback(self._checked)
        return self._task

    def _checked(self, _: "asyncio.Task[None]") -> None:
        self._task = None

    async def _check(self, max_seconds: float) -> None:
        started, failures = self._clock(), self._failures
        try:
            model = await self._request_model(max_seconds)
            self._silent_since = None
            latency = self._clock() - started
            await self._check_progress(model.name, max_seconds)
        except TimeoutError as error:
            self._on_silence(started, failure_reason(error))
        except (aiohttp.ClientError, OSError) as error:
            self._on_failure(failure_reason(error))
        except _Hung as error:
            self._on_hang(error.detail.rstrip("."))
        except _KeyRefused as error:
            self._on_failure(error.detail.rstrip("."), may_be_starting=False)
        except VlmUnavailable as error:
            self._on_failure(error.detail.rstrip("."))
        except Exception as error:
            # The checks must continue after an unexpected error.
            log.exception("the check of vLLM failed")
            self._set_unavailable(type(error).__name__)
        else:
            self._failures_at_last_success = failures
            self._set_ready(model, latency)

    async def _check_progress(self, model: str, max_seconds: float) -> None:
        """Raise _Hung if the engine of vLLM does not work on its calls."""
        if self._progress.stalled >= self._hung_after:
            await self._progress.check_again(model, max_seconds)
        else:
            await self._progress.check(max_seconds)
        if self._progress.stalled >= self._hung_after:
            raise _Hung(f"it hangs: it had calls for {self._hung_after:g} s, and has generated nothing.")

    async def _request_model(self, max_seconds: float) -> ServedModel:
        status, _ = await self._client.get(self._client.address.health, max_seconds)
        if status != HTTPStatus.OK:
            raise VlmUnavailable(f"its health check answers {status}.")
        if self.status.model and self._failures == self._failures_at_last_success:
            return ServedModel(self.status.model, self.status.max_length)
        return await self._list_model(max_seconds)

    async def _list_model(self, max_seconds: float) -> ServedModel:
        status, body = await self._client.get(self._client.address.api("models"), max_seconds)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise _KeyRefused(f"its list of models answers {status}{key_hint(status)}.")
        if status != HTTPStatus.OK:
            raise VlmUnavailable(f"its list of models answers {status}.")
        try:
            model = served_model(json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise VlmUnavailable("its list of models cannot be read.") from error
        if model is None:
            raise VlmUnavailable(f"it serves no {MODEL_FAMILY}.")
        return model

    def _on_silence(self, started: float, error: str) -> None:
        if self._silent_since is None:
            self._silent_since = started
        silence = self._clock() - self._silent_since
        if self.status.state is not VlmState.READY or silence >= _SILENCE_SECONDS:
            self._set_unavailable(error)
        if silence >= self._lost_after:
            self._client.cancel_calls(f"no health check was answered for {silence:.0f} s")
        if self._was_ready:
            self._request_restart(silence)

    def _on_hang(self, error: str) -> None:
        if not self._is_hung:
            self._client.metrics.hangs.inc()
        self._is_hung = True
        self._client.cancel_calls(error)
        self._set_unavailable(error)
        self._request_restart(self._progress.stalled)

    def _on_failure(self, error: str, may_be_starting: bool = True) -> None:
        self._silent_since = None
        self._progress.reset()
        self._is_hung = self._restart_requested = False
        self._set_unavailable(error, may_be_starting)

    def _request_restart(self, seconds: float) -> None:
        """Have vLLM restarted, once, if it has stood still for too long."""
        if self._restart_after is not None and seconds >= self._restart_after and not self._restart_requested:
            self._restart_requested = True
            log.error(
                "vLLM at %s has stood still for %.0f s: a restart is requested", self.status.url, seconds
            )
            self._restart()

    @property
    def _may_be_starting(self) -> bool:
        within_startup = self._clock() - self._started < STARTUP_SECONDS
        return within_startup and not self._was_ready and self._not_started is None

    def _set_unavailable(self, error: str, may_be_starting: bool = True) -> None:
        self._failures += 1
        if self._not_started and not self._was_ready:
            error = f"{error}; {self._not_started}"
        state = VlmState.STARTING if may_be_starting and self._may_be_starting else VlmState.UNAVAILABLE
        if self.status.state is not state or self.status.error != error:
            log.warning("vLLM at %s is %s: %s", self.status.url, state, error)
        self.status = replace(self.status, state=state, error=error, latency=None)

    def _set_ready(self, model: ServedModel, latency: float) -> None:
        if self.status.state is not VlmState.READY:
            log.info("vLLM at %s is ready: it serves %s", self.status.url, model.name)
        self._was_ready = True
        self._is_hung = self._restart_requested = False
        self._client.allow_calls()
        self.status = replace(
            self.status,
            state=VlmState.READY,
            model=model.name,
            max_length=model.max_length,
            latency=latency,
            error=None,
        )
