"""Where a request's time goes, as OpenTelemetry's spans; nothing at all unless `enable` has been called.

Spans hold numbers and words of ours alone: no document's text, no file's name, no document's address. Who
awaits something measures it, whatever thread does the work.
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

# What a collector that is away may cost the service's end.
_LAST_SPANS_SECONDS = 5.0

_FAULT = 500

_on: "_Tracing | None" = None


class Span(Protocol):
    """A span that has begun."""

    def set_attributes(self, attributes: Attributes) -> None:
        """Add what was found out; what is None is left out."""


def enable(environment: Mapping[str, str]) -> None:
    """Send spans from here on, where OpenTelemetry's variables name a collector; the SDK is imported here.

    It reads its variables itself, from the process's environment.
    """
    global _on
    if not _is_wanted(environment):
        return
    for name in _PROTOCOLS:
        if environment.get(name, _HTTP) not in ("", _HTTP):
            log.warning("%s: traces go over %s, which is all that there is", name, _HTTP)
    _on = _Tracing()
    log.info("traces are sent")


async def disable() -> None:
    """Send what is left, within a few seconds."""
    global _on
    tracing, _on = _on, None
    if tracing is not None:
        await tracing.close()


def span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """Measure what the `with` block awaits, as a part of the span around it."""
    return _OFF if _on is None else _on.part(name, attributes or {})


def request(
    request_id: str, known: Record, headers: Sequence[tuple[bytes, bytes]]
) -> AbstractContextManager[Span]:
    """Measure a whole request, as a part of its caller's trace; at its end its record is told."""
    return _OFF if _on is None else _on.request(request_id, known, headers)


def call(name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """Measure a call to another program, which is told of the trace by `trace_headers`."""
    return _OFF if _on is None else _on.call(name, attributes)


def trace_headers() -> dict[str, str]:
    """Return the headers that tell another program of the span it works for; none while tracing is off."""
    return {} if _on is None else _on.trace_headers()


def _is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether a collector is named, and not taken back."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "none"
    )


class _Off:
    """Stands for every span while tracing is off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_attributes(self, attributes: Attributes) -> None:
        pass


_OFF = _Off()


class _Tracing:
    """The SDK, set up as its variables say."""

    def __init__(self) -> None:
        # Not made the process's own: FastAPI would add spans that hold queries.
        self._provider = _provider()
        self._tracer = self._provider.get_tracer("ocr_service", __version__)
        # What its parts say of a collector that is away, at every attempt, `_Telling` says once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    def part(self, name: str, attributes: Attributes) -> "_Live":
        return _Live(self._tracer, name, SpanKind.INTERNAL, attributes)

    def call(self, name: str, attributes: Attributes) -> "_Live":
        return _Live(self._tracer, name, SpanKind.CLIENT, attributes)

    def request(
        self, request_id: str, known: Record, headers: Sequence[tuple[bytes, bytes]]
    ) -> "_LiveRequest":
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        attributes: Attributes = {"http.request.method": known.method, "ocr.request_id": request_id}
        return _LiveRequest(self._tracer, known, attributes, propagate.extract(carrier))

    def trace_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    async def close(self) -> None:
        # A thread of its own that nobody waits for at the process's end, as it would for one of the loop's.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _LAST_SPANS_SECONDS)
        if closing.is_alive():
            log.warning("the last traces could not be sent in %g s", _LAST_SPANS_SECONDS)


class _Live:
    """A span, from its `with` block's begin to its end."""

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
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if error is not None:
            # Its words may quote a document.
            self.fail(error.code if isinstance(error, OcrError) else type(error).__name__)
        context.detach(self._token)
        self._span.end()

    def set_attributes(self, attributes: Attributes) -> None:
        """Add what was found out; what is None is left out."""
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def fail(self, kind: str) -> None:
        """Say that it came to nothing, and by what kind of error."""
        self._span.set_status(StatusCode.ERROR)
        self.set_attributes({"error.type": kind})


class _LiveRequest(_Live):
    def __init__(self, tracer: Tracer, known: Record, attributes: Attributes, parent: Context) -> None:
        super().__init__(tracer, known.method, SpanKind.SERVER, attributes, parent)
        self._known = known

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        known = self._known
        self._span.update_name(f"{known.method} {known.route}")
        self.set_attributes(
            {
                "http.route": known.route,
                "http.response.status_code": known.status,
                "ocr.engine": known.engine,
                "ocr.document.size": known.document_bytes,
                "ocr.pages": known.pages,
                "ocr.pages.failed": known.failed_pages,
                "ocr.cached": known.cached,
                "ocr.storage": known.storage,
            }
        )
        # As the conventions have it: of a server's spans, its own faults alone are errors.
        if known.status is not None and known.status >= _FAULT:
            self.fail(str(known.status))
        super().__exit__(kind, error, where)


def _provider() -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = OTELResourceDetector().detect().attributes
    ours = {"service.name": _SERVICE_NAME, "service.version": __version__}
    provider = TracerProvider(resource=Resource.create({**ours, **named}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_telling(OTLPSpanExporter())))
    return provider


def _telling(exporter: "SpanExporter") -> "SpanExporter":
    """Let the log know when spans get lost, and when no longer: once each."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Telling(SpanExporter):
        failing = False

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            result = exporter.export(spans)
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                log.warning("traces cannot be sent, and are lost until they can")
            elif self.failing and not failed:
                log.info("traces can be sent again")
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Telling()
