"""OpenTelemetry spans for the stages of a request. Until `enable` is called, there are none.

Attributes are numbers and fixed words: never text, names or addresses of documents. The code that awaits a
stage measures it, no matter which thread does the work.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from ocr_service import __version__
from ocr_service.core.errors import OcrError
from ocr_service.telemetry.request_context import Record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

Attributes = Mapping[str, str | int | float | bool | None]

_SERVICE_NAME = "ocr-service"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_HTTP = "http/protobuf"

# Time to send the last spans at shutdown if the collector is unreachable.
_FLUSH_SECONDS = 5.0

_SERVER_ERROR = 500

_active: "_Tracing | None" = None


class Span(Protocol):
    """A span that was started."""

    def set_attributes(self, attributes: Attributes) -> None:
        """Add attributes. A value of None is left out."""


def enable(environment: Mapping[str, str]) -> None:
    """Start to send spans if the variables of OpenTelemetry name a collector.

    Only then is the SDK imported. It reads its variables from the environment of the process.
    """
    global _active
    if not _is_enabled(environment):
        return
    for name in _PROTOCOLS:
        if environment.get(name, _HTTP) not in ("", _HTTP):
            log.warning("%s: only %s is supported and is used", name, _HTTP)
    _active = _Tracing()
    log.info("tracing is enabled")


async def disable() -> None:
    """Send the last spans within a few seconds, and stop."""
    global _active
    tracing, _active = _active, None
    if tracing is not None:
        await tracing.close()


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """Measure the `with` block as a child of the current span."""
    return _NO_SPAN if _active is None else _active.span(name, attributes or {})


def request(
    request_id: str, record: Record, headers: Sequence[tuple[bytes, bytes]]
) -> AbstractContextManager[Span]:
    """Measure a request as a part of the trace of its client. At the end, its record becomes attributes."""
    return _NO_SPAN if _active is None else _active.request(request_id, record, headers)


def call(name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """Measure a call to another service. `trace_headers` passes the trace on to it."""
    return _NO_SPAN if _active is None else _active.call(name, attributes)


def trace_headers() -> dict[str, str]:
    """Return the headers that pass the current span on to another service; none while tracing is off."""
    return {} if _active is None else _active.trace_headers()


def _is_enabled(environment: Mapping[str, str]) -> bool:
    """Whether the variables name a collector and do not disable tracing."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "none"
    )


class _NoSpan:
    """Replaces each span while tracing is off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_attributes(self, attributes: Attributes) -> None:
        pass


_NO_SPAN = _NoSpan()


class _Tracing:
    """The SDK, configured by its variables."""

    def __init__(self) -> None:
        # Not the global provider: FastAPI would use that for spans with query strings.
        self._provider = _provider()
        self._tracer = self._provider.get_tracer("ocr_service", __version__)
        # The SDK logs each failed attempt to reach the collector. `_LoggingExporter` logs only the first.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def span(self, name: str, attributes: Attributes) -> "_ActiveSpan":
        return _ActiveSpan(self._tracer, name, SpanKind.INTERNAL, attributes)

    def call(self, name: str, attributes: Attributes) -> "_ActiveSpan":
        return _ActiveSpan(self._tracer, name, SpanKind.CLIENT, attributes)

    def request(
        self, request_id: str, record: Record, headers: Sequence[tuple[bytes, bytes]]
    ) -> "_RequestSpan":
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        attributes: Attributes = {"http.request.method": record.method, "ocr.request_id": request_id}
        return _RequestSpan(self._tracer, record, attributes, propagate.extract(carrier))

    def trace_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    async def close(self) -> None:
        # A daemon thread, because the process would wait at exit for a thread of the pool.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _FLUSH_SECONDS)
        if closing.is_alive():
            log.warning("the last spans were not sent within %g s and are lost", _FLUSH_SECONDS)


class _ActiveSpan:
    """A span that lasts as long as its `with` block."""

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        parent: Context | None = None,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._parent = parent

    def __enter__(self) -> Self:
        self._span = self._tracer.start_span(self._name, self._parent, self._kind)
        self.set_attributes(self._attributes)
        self._token = context.attach(trace.set_span_in_context(self._span, self._parent))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            # The text of the error may quote a document.
            self.fail(error.code if isinstance(error, OcrError) else type(error).__name__)
        context.detach(self._token)
        self._span.end()

    def set_attributes(self, attributes: Attributes) -> None:
        """Add attributes. A value of None is left out."""
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def fail(self, kind: str) -> None:
        """Mark the span as failed, with the kind of error."""
        self._span.set_status(StatusCode.ERROR)
        self.set_attributes({"error.type": kind})


class _RequestSpan(_ActiveSpan):
    def __init__(self, tracer: Tracer, record: Record, attributes: Attributes, parent: Context) -> None:
        super().__init__(tracer, record.method, SpanKind.SERVER, attributes, parent)
        self._record = record

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        record = self._record
        self._span.update_name(f"{record.method} {record.route}")
        self.set_attributes(
            {
                "http.route": record.route,
                "http.response.status_code": record.status,
                "ocr.engine": record.engine,
                "ocr.document.size": record.document_bytes,
                "ocr.pages": record.pages,
                "ocr.pages.failed": record.failed_pages,
                "ocr.pages.doubtful": record.doubtful_pages,
                "ocr.cached": record.cached,
                "ocr.storage": record.storage,
            }
        )
        # By the semantic conventions, only a 5xx makes the span of a server an error.
        if record.status is not None and record.status >= _SERVER_ERROR:
            self.fail(str(record.status))
        super().__exit__(kind, error, traceback)


def _provider() -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    configured = OTELResourceDetector().detect().attributes
    defaults = {"service.name": _SERVICE_NAME, "service.version": __version__}
    provider = TracerProvider(resource=Resource.create({**defaults, **configured}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_logging_exporter(OTLPSpanExporter())))
    return provider


def _logging_exporter(exporter: "SpanExporter") -> "SpanExporter":
    """Log when the first spans are lost, and when spans can be sent again."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class LoggingExporter(SpanExporter):
        failing = False

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            result = exporter.export(spans)
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                log.warning("spans cannot be sent and are lost")
            elif self.failing and not failed:
                log.info("spans can be sent again")
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return LoggingExporter()
