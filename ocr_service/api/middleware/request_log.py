"""Request id, access log, metrics and trace of each request, and the answer to an unexpected error."""

import logging
import re
import time
import uuid
from contextlib import AbstractContextManager, nullcontext

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_service.api.answers.problems import problem_response
from ocr_service.api.paths import QUIET
from ocr_service.core.errors import OcrError
from ocr_service.telemetry import metrics, tracing
from ocr_service.telemetry.logs import fields
from ocr_service.telemetry.request_context import CLIENT_CLOSED_REQUEST, Record, record, request_id, unique_id

log = logging.getLogger("ocr_service.access")

HEADER = "X-Request-ID"

# Ids go into log lines and file names, so they have no spaces, line ends or slashes.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")

# W3C Trace Context: version, trace id, span id, flags. Ids of zeros and version ff are invalid; version 00
# has no further fields.
_TRACEPARENT = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


_MAX_PATH = 256


class RequestContext:
    """ASGI middleware around everything that can fail. Only the security headers and CORS are outside it.

    So errors have an id and a log line too, and their answers have the headers of the outer middleware.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = _given_id(scope) or _trace_id(scope)
        made = uuid.uuid4().hex
        token = request_id.set(given or made)
        # A client can send an id twice, and the second result must not overwrite the first.
        unique_id.set(f"{given.replace(':', '_')}-{made}" if given else made)
        known = Record(method=scope["method"])
        record.set(known)
        answer = _Answer(send)
        with _traced(scope, known):
            began = time.perf_counter()
            try:
                await self._run(scope, receive, answer)
            finally:
                known.route = _route(scope)
                known.status, known.seconds = answer.outcome, time.perf_counter() - began
                _log_line(scope, known)
                metrics.count_request(known)
                request_id.reset(token)

    async def _run(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("%s %s failed", scope["method"], _path(scope))
            if answer.status is None:
                await problem_response(OcrError())(scope, receive, answer.send)
            # The client has not disconnected: this is a failure of the service.
            answer.ended = True


class _Answer:
    """Observes the answer as it is sent, and adds the header with the id.

    status: None before it starts. ended: whether it is complete, or is not continued because of a failure.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.ended = False

    @property
    def outcome(self) -> int:
        """The status to log."""
        return self.status if self.status is not None and self.ended else CLIENT_CLOSED_REQUEST

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = request_id.get()
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.ended = True


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER.lower().encode():
            given = value.decode("latin-1")
            if _ACCEPTABLE.fullmatch(given):
                return str(given)
    return None


def _trace_id(scope: Scope) -> str | None:
    """Return the trace id of the request, even if the service exports no traces."""
    parents = [value for name, value in scope["headers"] if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    return found[1].decode() if found else None


def _traced(scope: Scope, known: Record) -> AbstractContextManager[object]:
    """Start the request's span, except for paths that are polled."""
    if scope["path"] in QUIET:
        return nullcontext()
    return tracing.request(request_id.get(), known, scope["headers"])


def _route(scope: Scope) -> str:
    """Return the path of the route, or `other` for a path without a route."""
    return getattr(scope.get("route"), "path", "other")


def _path(scope: Scope) -> str:
    """Return the path of the request without its query, which can contain private data."""
    path: str = scope["path"]
    return path[:_MAX_PATH]


def _log_line(scope: Scope, known: Record) -> None:
    assert known.status is not None and known.seconds is not None
    path, milliseconds = _path(scope), known.seconds * 1000
    log.log(
        logging.DEBUG if known.route in QUIET else logging.INFO,
        "%s %s %d %.0f ms",
        known.method,
        path,
        known.status,
        milliseconds,
        extra=fields(
            method=known.method,
            path=path,
            route=known.route,
            status=known.status,
            duration_ms=round(milliseconds, 1),
            pages=known.pages,
            failed_pages=known.failed_pages,
            doubtful_pages=known.doubtful_pages,
            engine=known.engine,
            cached=known.cached,
            storage=known.storage,
            document_bytes=known.document_bytes,
            timings_ms={stage: round(spent * 1000, 1) for stage, spent in known.timings.items()} or None,
        ),
    )
