"""The vLLM servers: which one gets a call, and where a call goes that failed."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from ocr_service.core.engine import VlmState, VlmStatus
from ocr_service.core.errors import VlmTimeout, VlmUnavailable
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.engines.paddleocr_vl.settings import VlmSettings
from ocr_service.engines.paddleocr_vl.vlm_address import VlmAddress
from ocr_service.engines.paddleocr_vl.vlm_client import Completion, VlmClient, VlmNotReached
from ocr_service.engines.paddleocr_vl.vlm_watch import VlmWatch
from ocr_service.runtime.signals import request_restart

# Servers that see one call: a block that ends its server must not end all of them.
_SERVERS_PER_CALL = 2
# Seconds for which a server is the last choice after a failed call: its health check may succeed, and a
# server that fails at once always has the fewest calls.
_AVOIDED_SECONDS = 10.0
# Seconds of a check for a page that finds no server ready.
_QUICK_CHECK_SECONDS = 1.0

_BEST_FIRST = (VlmState.READY, VlmState.STARTING, VlmState.UNAVAILABLE)


class _Server:
    """One server: its client, its checks, and the time of its last failed call."""

    def __init__(self, client: VlmClient, watch: VlmWatch) -> None:
        self.client = client
        self.watch = watch
        self.failed_at = float("-inf")

    @property
    def model(self) -> str | None:
        """The model that it serves; None if it is not ready."""
        status = self.watch.status
        return status.model if status.state is VlmState.READY else None


class VlmPool:
    """Sends each call to the ready server with the fewest calls, and to another one if that server fails.

    A server whose model is not the one that most ready servers have counts as unavailable.
    """

    def __init__(self, settings: VlmSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._servers = [_make_server(settings, url) for url in settings.api_urls]

    @property
    def model(self) -> str | None:
        """The model that most ready servers have, or of as many the first; None if no server is ready."""
        models = [server.model for server in self._servers if server.model is not None]
        return max(models, key=models.count, default=None)

    @property
    def statuses(self) -> tuple[VlmStatus, ...]:
        """The last check of each server, in the order of the setting."""
        model = self.model
        return tuple(_as_one_of_many(server.watch.status, model) for server in self._servers)

    @property
    def status(self) -> VlmStatus:
        """The status of the first server in the best state, with the smallest `max_length` of all."""
        statuses = self.statuses
        best = min(statuses, key=lambda status: _BEST_FIRST.index(status.state))
        lengths = [status.max_length for status in statuses if status.max_length is not None]
        error = best.error
        if best.state is not VlmState.READY and len(statuses) > 1:
            error = "; ".join(f"{status.url}: {status.error}" for status in statuses)
        return replace(best, max_length=min(lengths, default=None), error=error, servers=statuses)

    async def run(self) -> None:
        """Check all servers until cancelled."""
        await asyncio.gather(*(server.watch.run() for server in self._servers))

    async def check(self, max_seconds: float | None = None) -> None:
        """Check all servers once, for `max_seconds` each instead of the usual limit."""
        await asyncio.gather(*(server.watch.check(max_seconds) for server in self._servers))

    async def ensure_ready(self) -> None:
        """Return if a server is ready; if none is, check again at once, and raise VlmUnavailable."""
        if self.model is None:
            await self.check(_QUICK_CHECK_SECONDS)
        if self.model is None:
            status = self.status
            raise VlmUnavailable(f"The vLLM server is {status.state}: {status.error}.")

    async def complete(self, model: str, body: bytes, caller: Caller = UNKNOWN) -> Completion:
        """Return the text of the VLM, as `VlmClient.complete`; a failed call goes to another server.

        model: the one that the request names. caller: see `VlmClient.complete`.
        """
        tried: list[_Server] = []
        seen = 0
        server = self._best_ready(model, tried) or min(self._servers, key=self._order)
        while True:
            try:
                return await self._complete_at(server, body, caller)
            except VlmUnavailable as error:
                tried.append(server)
                seen += not isinstance(error, VlmNotReached)
                another = self._best_ready(model, tried) if seen < _SERVERS_PER_CALL else None
                if another is None:
                    raise
            server.client.metrics.failovers.inc()
            server = another

    async def close(self) -> None:
        """End the checks, and close the connections."""
        for server in self._servers:
            await server.watch.close()
            await server.client.close()

    async def _complete_at(self, server: _Server, body: bytes, caller: Caller) -> Completion:
        try:
            return await server.client.complete(body, caller)
        except VlmTimeout:
            server.failed_at = self._clock()
            raise
        except VlmUnavailable:
            server.failed_at = self._clock()
            server.watch.report_failure()
            raise

    def _best_ready(self, model: str, tried: Collection[_Server]) -> _Server | None:
        """Return the best of the servers that have this model and were not tried; None if there is none."""
        ready = [server for server in self._servers if server.model == model and server not in tried]
        return min(ready, key=self._order, default=None)

    def _order(self, server: _Server) -> tuple[bool, int, int]:
        """Sort by recent failures, then by calls that wait or are in flight, then by all calls so far."""
        has_failed = self._clock() - server.failed_at < _AVOIDED_SECONDS
        return has_failed, server.client.pending, server.client.sent


def _make_server(settings: VlmSettings, url: str) -> _Server:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    client = VlmClient(VlmAddress(url, key), settings.timeout, settings.max_concurrency)
    watch = VlmWatch(
        client,
        hung_after=settings.hang_timeout,
        restart_after=settings.restart_timeout,
        restart=partial(request_restart, settings.supervisor),
        not_started=settings.reason_not_started,
    )
    return _Server(client, watch)


def _as_one_of_many(status: VlmStatus, model: str | None) -> VlmStatus:
    """Return the status; `model` is the one that the pool uses."""
    if status.state is not VlmState.READY or status.model == model:
        return status
    error = f"it serves {status.model}, and the other servers {model}"
    return replace(status, state=VlmState.UNAVAILABLE, error=error)
