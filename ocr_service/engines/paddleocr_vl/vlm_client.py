"""The client of the vLLM server: pooled connections, a deadline a call, one owner of what can go wrong.

aiohttp, because it answers for hundreds of calls at once at 0.2 ms of CPU each; httpx takes 8 ms there.
"""

import asyncio
import errno
import json
import os
import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp

from ocr_service.core.errors import OcrError, RecognitionFailed, VlmTimeout, VlmUnavailable
from ocr_service.telemetry import metrics, tracing

CONNECT_SECONDS = 10.0

# Less than the 5 s after which vLLM closes a connection that is idle.
_KEPT_SECONDS = 4.0

# Refusals of this one picture; whatever else is no success concerns every call.
_REFUSED_FOR_ITS_CONTENT = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


@dataclass(frozen=True, slots=True)
class VlmAddress:
    """Where vLLM is. url: its OpenAI-compatible API, such as http://127.0.0.1:8080/v1; api_key: or None."""

    url: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without user, password and query, for people to see."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def traced(self) -> Mapping[str, str | int | None]:
        """What a call's span says, in OpenTelemetry's words for generative AI."""
        parts = urlsplit(self.url)
        return {
            "gen_ai.operation.name": "chat",
            "server.address": parts.hostname,
            "server.port": parts.port,
        }

    @property
    def authorization(self) -> dict[str, str]:
        """The header that lets us in: by the key, else by the address's user and password."""
        parts = urlsplit(self.url)
        if self.api_key:
            return {"Authorization": f"Bearer {self.api_key}"}
        if parts.username is None:
            return {}
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}

    def api(self, path: str) -> str:
        """Return the address of a part of the API."""
        return self._below(urlsplit(self.url).path.rstrip("/"), path)

    @property
    def health(self) -> str:
        """The address of vLLM's own health check, which stands beside the API."""
        return self._below(urlsplit(self.url).path.rstrip("/").removesuffix("/v1"), "health")

    def _below(self, folder: str, name: str) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"{folder}/{name}").geturl()


class VlmClient:
    """Sends completions to vLLM.

    timeout: seconds that one call may take. max_concurrency: most calls in flight; others wait in order.
    Belongs to one event loop; connections open with the first call.
    """

    def __init__(self, address: VlmAddress, timeout: float, max_concurrency: int) -> None:
        self.address = address
        self._timeout = timeout
        self._places = asyncio.Semaphore(max_concurrency)
        self._deadlines: set[asyncio.Timeout] = set()
        self._session: aiohttp.ClientSession | None = None
        self._lost: str | None = None
        # Calls so far that came back with words, and those that ran out of time.
        self._answered = self._expired = 0

    async def complete(self, body: bytes) -> str:
        """Return what the VLM wrote; cancelling closes the connection, so that vLLM frees the slot.

        body: a chat completion request, as JSON. Raises VlmUnavailable, VlmTimeout, or RecognitionFailed
        where vLLM refuses this very picture.
        """
        answered, expired = self._answered, self._expired
        async with self._places:
            if self._lost is not None or (self._answered == answered and self._expired > expired):
                # While this call waited for its turn, others had none but bad luck: why try the same again?
                raise self._out_of_time()
            with _counted(), tracing.call("chat", self.address.traced):
                return await self._complete_or_say_why(body)

    async def get(self, url: str, patience: float) -> tuple[int, bytes]:
        """Ask something small for `patience` seconds; raises ClientError, OSError or TimeoutError."""
        async with (
            asyncio.timeout(patience),
            self._open_session().get(url, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.read()

    def give_up(self, why: str) -> None:
        """End all calls in flight now: nobody answers at the other side any more."""
        self._lost = why
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    def hope_again(self) -> None:
        """Take back `give_up`: vLLM answers."""
        self._lost = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _complete_or_say_why(self, body: bytes) -> str:
        try:
            text = await self._complete_in_time(body)
        except aiohttp.ServerTimeoutError as error:
            raise VlmUnavailable("The vLLM server cannot be reached: no connection in time.") from error
        except TimeoutError:
            self._expired += 1
            raise self._out_of_time() from None
        except (aiohttp.ClientError, OSError) as error:
            raise VlmUnavailable(f"The vLLM server cannot be reached: {reason(error)}.") from error
        self._answered += 1
        return text

    async def _complete_in_time(self, body: bytes) -> str:
        async with asyncio.timeout(self._timeout) as deadline:
            self._deadlines.add(deadline)
            try:
                return await self._complete(body)
            finally:
                self._deadlines.discard(deadline)

    async def _complete(self, body: bytes) -> str:
        try:
            answer = await self._post(body)
        except (aiohttp.ClientError, OSError) as error:
            if not _broke_before_any_answer(error):
                raise
            metrics.vlm_retries.inc()
            answer = await self._post(body)
        async with answer:
            content = await answer.read()
        if answer.status == HTTPStatus.OK:
            return _text(content)
        raise _refusal(answer.status)

    async def _post(self, body: bytes) -> aiohttp.ClientResponse:
        url = self.address.api("chat/completions")
        headers = {"Content-Type": "application/json", **tracing.trace_headers()}
        return await self._open_session().post(url, data=body, headers=headers, allow_redirects=False)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Not through a proxy that the environment names for the outside world.
                trust_env=False,
                headers=self.address.authorization,
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS),
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _out_of_time(self) -> OcrError:
        if self._lost is not None:
            return VlmUnavailable(f"The vLLM server has stopped answering: {self._lost}.")
        return VlmTimeout(f"The vLLM server did not answer within {self._timeout:g} s.")


@contextmanager
def _counted() -> Iterator[None]:
    """Tell the metrics of one call and of what comes of it."""
    outcome, began = "cancelled", time.perf_counter()
    try:
        with metrics.vlm_calls_in_flight.track_inprogress():
            yield
        outcome = "answered"
    except OcrError as error:
        outcome = error.code
        raise
    finally:
        metrics.vlm_calls.labels(outcome).inc()
        metrics.vlm_call_duration.observe(time.perf_counter() - began)


def _broke_before_any_answer(error: Exception) -> bool:
    """Whether a connection that stood was closed: by the other side just now, say, as it was idle."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    broken = isinstance(error, OSError) and error.errno in (errno.ECONNRESET, errno.EPIPE)
    return broken or isinstance(error, aiohttp.ServerDisconnectedError)


def reason(error: BaseException) -> str:
    """Say in a few words, without addresses and credentials, what kept two machines from talking."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    # The system's own words: asyncio's hold the address.
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return "its name is not known" if isinstance(cause, socket.gaierror) else type(cause).__name__


def _text(content: bytes) -> str:
    try:
        text: Any = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise VlmUnavailable("The vLLM server's answer is not a completion.") from error
    # Null stands for a completion of no words. JSON can hold halves of characters; our answers cannot.
    return text.encode(errors="replace").decode() if isinstance(text, str) else ""


def _refusal(status: int) -> OcrError:
    if status in _REFUSED_FOR_ITS_CONTENT:
        return RecognitionFailed(f"The vLLM server refused the block's picture ({status}).")
    hint: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: "; OCR_VLM_API_KEY must be its key",
        HTTPStatus.NOT_FOUND: "; it does not serve this model under OCR_VLM_URL",
    }
    return VlmUnavailable(f"The vLLM server answered {status}{hint.get(status, '')}.")
