"""An eye on the vLLM server: is it there, what does it serve, how fast does it answer."""

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
from ocr_service.engines.paddleocr_vl.presence import MODEL_FAMILY, served_model
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient, reason

log = logging.getLogger(__name__)

STARTUP_SECONDS = 900.0
"""How long a server that has never answered is said to be starting: it may download and compile first."""


class VlmWatch:
    """Checks the server every few seconds; keeps what it saw last in `status`.

    interval: seconds between checks. patience: seconds that one check may take.
    lost_after: seconds of checks without any answer after which calls in flight are given up.
    not_started: why no server is started here; one that does not answer is then not said to be starting.
    """

    def __init__(
        self,
        client: VlmClient,
        interval: float = 3.0,
        patience: float = 2.0,
        lost_after: float = 20.0,
        not_started: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._interval = interval
        self._patience = patience
        self._lost_after = lost_after
        self._not_started = not_started and f"it is not started here: {not_started}"
        self._clock = clock
        self._began = clock()
        self._was_ready = False
        # The model can be another after a restart: it is asked for again where there were new doubts.
        self._doubts = 1
        self._doubts_heard = 0
        self._silent_since: float | None = None
        self._checking: asyncio.Task[None] | None = None
        state = VlmState.UNAVAILABLE if not_started else VlmState.STARTING
        self.status = VlmStatus(state, client.address.shown, error=self._not_started)

    async def run(self) -> None:
        """Check for ever."""
        while True:
            await self.check()
            await asyncio.sleep(self._interval)

    async def ensure_ready(self) -> None:
        """Return where the server answers; else look again at once, and raise VlmUnavailable."""
        if self.status.state is not VlmState.READY:
            await self.check(patience=min(1.0, self._patience))
        if self.status.state is not VlmState.READY:
            raise VlmUnavailable(f"The vLLM server is {self.status.state}: {self.status.error}.")

    async def check(self, patience: float | None = None) -> None:
        """Look once, whoever asks; a caller that is cancelled does not end it for others."""
        await asyncio.shield(self._begin(patience or self._patience))

    def doubt(self) -> None:
        """Look again at once, also at what it serves, as somebody has had no luck with the server."""
        self._doubts += 1
        self._begin(self._patience)

    async def close(self) -> None:
        """End a check that is under way."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    def _begin(self, patience: float) -> "asyncio.Task[None]":
        if self._checking is None:
            self._checking = asyncio.create_task(self._check(patience))
            self._checking.add_done_callback(self._checked)
        return self._checking

    def _checked(self, _: "asyncio.Task[None]") -> None:
        self._checking = None

    async def _check(self, patience: float) -> None:
        began, doubts = self._clock(), self._doubts
        try:
            model = await self._ask(patience)
        except TimeoutError as error:
            self._hear_nothing(began)
            self._set_unavailable(reason(error))
        except (aiohttp.ClientError, OSError) as error:
            self._silent_since = None
            self._set_unavailable(reason(error))
        except VlmUnavailable as error:
            self._silent_since = None
            self._set_unavailable(error.detail.rstrip("."))
        except Exception as error:
            # Whatever it is: the watch must go on.
            log.exception("the check of vLLM failed")
            self._set_unavailable(type(error).__name__)
        else:
            self._silent_since = None
            self._doubts_heard = doubts
            self._set_ready(model, self._clock() - began)

    async def _ask(self, patience: float) -> str:
        status, _ = await self._client.get(self._client.address.health, patience)
        if status != HTTPStatus.OK:
            raise VlmUnavailable(f"its health check answers {status}.")
        if self.status.model and self._doubts == self._doubts_heard:
            return self.status.model
        return await self._ask_model(patience)

    async def _ask_model(self, patience: float) -> str:
        status, body = await self._client.get(self._client.address.api("models"), patience)
        if status != HTTPStatus.OK:
            raise VlmUnavailable(f"its list of models answers {status}.")
        try:
            model = served_model(json.loads(body))
        except (ValueError, LookupError, TypeError) as error:
            raise VlmUnavailable("its list of models cannot be read.") from error
        if model is None:
            raise VlmUnavailable(f"it serves no {MODEL_FAMILY}.")
        return model

    def _hear_nothing(self, began: float) -> None:
        if self._silent_since is None:
            self._silent_since = began
        silence = self._clock() - self._silent_since
        if silence >= self._lost_after:
            self._client.give_up(f"no health check was answered for {silence:.0f} s")

    @property
    def _may_be_starting(self) -> bool:
        in_time = self._clock() - self._began < STARTUP_SECONDS
        return in_time and not self._was_ready and self._not_started is None

    def _set_unavailable(self, error: str) -> None:
        self._doubts += 1
        if self._not_started and not self._was_ready:
            error = f"{error}; {self._not_started}"
        state = VlmState.STARTING if self._may_be_starting else VlmState.UNAVAILABLE
        if self.status.state is not state or self.status.error != error:
            log.warning("vLLM at %s is %s: %s", self.status.url, state, error)
        self.status = replace(self.status, state=state, error=error, latency=None)

    def _set_ready(self, model: str, latency: float) -> None:
        if self.status.state is not VlmState.READY:
            log.info("vLLM at %s is ready: it serves %s", self.status.url, model)
        self._was_ready = True
        self._client.hope_again()
        self.status = replace(self.status, state=VlmState.READY, model=model, latency=latency, error=None)
