"""An OpenTelemetry collector: receives spans over OTLP/HTTP on loopback and records them."""

import http.server
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """Listens for the duration of a `with` block.

    url: value for OTEL_EXPORTER_OTLP_ENDPOINT. spans: spans so far. resource: attributes of the sender.
    bodies: raw request bodies. status: status of the responses. gate: event that every response waits for.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        self.bodies: list[bytes] = []
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        self._one_more = threading.Condition()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._receive))
        self._serving = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def wait_for(self, names: list[str], timeout: float = 120) -> list[Span]:
        """Wait for spans with exactly these names, and return them."""
        with self._one_more:
            self._one_more.wait_for(lambda: len(self.spans) >= len(names), timeout)
        found = sorted(span.name for span in self.spans)
        assert found == sorted(names), found
        return self.spans

    def _receive(self, path: str, body: bytes) -> int:
        assert path == "/v1/traces"
        self.gate.wait()
        if self.status == 200:
            with self._one_more:
                self.bodies.append(body)
                for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self.resource = attributes(resource_spans.resource)
                    self.spans += [span for scope in resource_spans.scope_spans for span in scope.spans]
                self._one_more.notify_all()
        return self.status


def attributes(owner: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource as a dictionary."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in owner.attributes}


def _handler(take: Callable[[str, bytes], int]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(take(self.path, body))
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, template: str, *args: object) -> None:
            pass

    return Handler
