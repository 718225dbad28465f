"""Client of the vLLM server: pooled connections, a deadline per call, and the mapping of errors.

It uses aiohttp: with hundreds of concurrent calls, a call takes 0.2 ms of CPU time, and 8 ms with httpx.
"""

import asyncio
import errno
import io
import json
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from ocr_service.core.errors import (
    OcrError,
    RecognitionFailed,
    Repetition,
    Truncated,
    VlmTimeout,
    VlmUnavailable,
)
from ocr_service.core.slots import Slots
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.engines.paddleocr_vl.vlm_address import VlmAddress
from ocr_service.engines.paddleocr_vl.vlm_refusals import refusal_reason, status_error
from ocr_service.telemetry import metrics, tracing

CONNECT_SECONDS = 10.0

# Calls of jobs beside those of requests. Each running sequence makes the steps of vLLM longer; with more of
# them, a request takes half as long again as without the job.
_JOB_CALLS = 24

# Bytes. The limit of aiohttp.
_LARGE_BODY = 2**20

STOP, REPETITION = "stop", "repetition"
"""Values of finish_reason: the text is whole, and vLLM has found a loop."""

# Less than the 5 s after which vLLM closes an idle connection.
_KEEPALIVE_SECONDS = 4.0

# Outcomes in the metrics, by finish_reason.
_OUTCOMES = {STOP: "answered", REPETITION: Repetition.code}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Completion:
    """The text of a block. finish_reason: of vLLM; with another reason than `STOP`, the text is not whole."""

    text: str
    finish_reason: str = STOP


class VlmNotReached(VlmUnavailable):
    """The server has not seen the call."""


class VlmClient:
    """Sends chat completions to one vLLM server.

    timeout: maximum seconds of one call. max_concurrency: maximum number of calls in flight; others wait,
    and callers take turns. A client belongs to one event loop; connections open with the first call.
    pending: number of calls that wait or are in flight. sent, answered: number of calls so far. Calls are
    numbered in the order in which they are sent.
    """

    def __init__(self, address: VlmAddress, timeout: float, max_concurrency: int) -> None:
        self.address = address
        self._timeout = timeout
        self._slots = Slots(max_concurrency, _JOB_CALLS)
        self._session: aiohttp.ClientSession | None = None
        self._lost_reason: str | None = None
        self._last_refusal: str | None = None
        self._deadlines: dict[int, asyncio.Timeout] = {}
        self.pending = self.sent = self.answered = 0
        self.metrics = metrics.VlmMetrics(address.without_credentials)
        # Number of calls that timed out.
        self._expired = 0

    @property
    def oldest_call(self) -> int | None:
        """The number of the oldest call in flight."""
        return next(iter(self._deadlines), None)

    async def complete(self, body: bytes, caller: Caller = UNKNOWN) -> Completion:
        """Return the text of the VLM; cancellation closes the connection, so that vLLM frees its slot.

        body: a chat completion request, as JSON. caller: the sender of the document; see `Slots`.
        Raises VlmUnavailable, VlmTimeout, or RecognitionFailed if vLLM refuses this image; VlmNotReached if
        it has not seen the call.
        """
        self.pending += 1
        try:
            return await self._complete_in_turn(body, caller)
        finally:
            self.pending -= 1

    async def get(self, url: str, max_seconds: float) -> tuple[int, bytes]:
        """Send a GET request, for health checks; raises ClientError, OSError or TimeoutError."""
        async with (
            asyncio.timeout(max_seconds),
            self._open_session().get(url, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.read()

    async def answers(self, model: str, max_seconds: float) -> bool:
        """Return whether a completion of one token, without an image, is answered in time."""
        messages = [{"role": "user", "content": [{"type": "text", "text": "OCR:"}]}]
        body = json.dumps({"model": model, "messages": messages, "max_completion_tokens": 1}).encode()
        try:
            async with asyncio.timeout(max_seconds), await self._post(body) as answer:
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, OSError):
            return False

    def cancel_calls(self, reason: str) -> None:
        """End all calls in flight, and refuse new ones, since the server does not answer any more."""
        self._lost_reason = reason
        for deadline in self._deadlines.values():
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    def allow_calls(self) -> None:
        """Allow calls again after `cancel_calls`, since the server answers."""
        self._lost_reason = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _complete_in_turn(self, body: bytes, caller: Caller) -> Completion:
        answered, expired = self.answered, self._expired
        async with self._slots.one(caller):
            if self._lost_reason is not None:
                raise VlmNotReached(self._lost_detail)
            if self.answered == answered and self._expired > expired:
                # All calls that ended while this one waited have timed out: fail it without another wait.
                raise self._timeout_error()
            with self._counted() as call, tracing.call("chat", self.address.span_attributes):
                completion = await self._complete_or_raise(body)
                call.outcome = _OUTCOMES.get(completion.finish_reason, Truncated.code)
                return completion

    @contextmanager
    def _counted(self) -> Iterator["_CountedCall"]:
        """Count one call in the metrics, with the outcome that the caller sets or the code of its error."""
        call, started = _CountedCall(), time.perf_counter()
        try:
            with self.metrics.in_flight.track_inprogress():
                yield call
        except OcrError as error:
            call.outcome = error.code
            raise
        finally:
            self.metrics.calls(call.outcome).inc()
            self.metrics.duration.observe(time.perf_counter() - started)

    async def _complete_or_raise(self, body: bytes) -> Completion:
        try:
            completion = await self._complete_in_time(body)
        except aiohttp.ServerTimeoutError as error:
            raise VlmNotReached("The vLLM server cannot be reached: no connection in time.") from error
        except TimeoutError:
            self._expired += 1
            raise self._timeout_error() from None
        except (aiohttp.ClientError, OSError) as error:
            kind = VlmNotReached if isinstance(error, aiohttp.ClientConnectorError) else VlmUnavailable
            raise kind(f"The vLLM server cannot be reached: {failure_reason(error)}.") from error
        self.answered += 1
        return completion

    async def _complete_in_time(self, body: bytes) -> Completion:
        async with asyncio.timeout(self._timeout) as deadline:
            self.sent += 1
            number = self.sent
            self._deadlines[number] = deadline
            try:
                return await self._complete(body)
            finally:
                del self._deadlines[number]

    async def _complete(self, body: bytes) -> Completion:
        try:
            answer = await self._post(body)
        except (aiohttp.ClientError, OSError) as error:
            if not _broke_before_answer(error):
                raise
            self.metrics.retries.inc()
            answer = await self._post(body)
        async with answer:
            content = await answer.read()
        if answer.status == HTTPStatus.OK:
            return _completion(content)
        failure = status_error(answer.status, content)
        self._log_refusal(failure, content)
        raise failure

    def _log_refusal(self, failure: OcrError, content: bytes) -> None:
        """Log why vLLM refuses a block; of many blocks in a row with the same reason, the first."""
        if not isinstance(failure, RecognitionFailed):
            return
        reason = refusal_reason(content)
        without_figures = re.sub(r"\d", "", reason)
        if without_figures != self._last_refusal:
            self._last_refusal = without_figures
            log.warning("vLLM refused a block: %s", reason)

    async def _post(self, body: bytes) -> aiohttp.ClientResponse:
        url = self.address.api("chat/completions")
        headers = {"Content-Type": "application/json", **tracing.trace_headers()}
        # In one piece, a large body would block the event loop; aiohttp warns about it.
        data = io.BytesIO(body) if len(body) > _LARGE_BODY else body
        return await self._open_session().post(url, data=data, headers=headers, allow_redirects=False)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Without the proxy of the environment, which is for outside addresses.
                trust_env=False,
                headers=self.address.authorization,
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    @property
    def _lost_detail(self) -> str:
        return f"The vLLM server has stopped answering: {self._lost_reason}."

    def _timeout_error(self) -> OcrError:
        if self._lost_reason is not None:
            return VlmUnavailable(self._lost_detail)
        return VlmTimeout(f"The vLLM server did not answer within {self._timeout:g} s.")


@dataclass(slots=True)
class _CountedCall:
    outcome: str = "cancelled"


def _broke_before_answer(error: Exception) -> bool:
    """Return whether an open connection broke, for example because the server closed an idle one."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    broken = isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
    return broken or isinstance(error, aiohttp.ServerDisconnectedError)


def failure_reason(error: BaseException) -> str:
    """Describe a connection error in a few words, without addresses and credentials."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    # The message of the operating system: the one from asyncio contains the address.
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return "unknown host name" if isinstance(cause, socket.gaierror) else type(cause).__name__


def _completion(content: bytes) -> Completion:
    try:
        choice: Any = json.loads(content)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise VlmUnavailable("The vLLM server's answer is not a completion.") from error
    # A null content is an empty completion. JSON can contain lone surrogates, which UTF-8 cannot encode.
    text = text.encode(errors="replace").decode() if isinstance(text, str) else ""
    return Completion(text, reason if isinstance(reason, str) else STOP)
