"""Traces that a collector receives from the running service."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fakes.collector import Collector, attributes
from tests.running import RunningProgram, free_port
from tests.samples import pdf_of_text, small_png

SERVICE = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}

OF_A_PAGE = ["page", "decode", "recognize"]


@contextmanager
def traced(collector: Collector, **settings: str) -> Iterator[RunningProgram]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **SOON, "OCR_CACHE_LIFETIME": "0"}
    with RunningProgram(SERVICE, **{**environment, **settings}) as service:
        yield service


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one


def post(service: RunningProgram, **changes: object) -> httpx.Response:
    sent: dict[str, object] = {"files": {"file": ("secret-name.pdf", pdf_of_text(["secret-text"] * 2))}}
    return httpx.post(f"{service.url}/ocr", timeout=120, **{**sent, **changes})  # type: ignore[arg-type]


def tree(spans: list[Span]) -> dict[str, list[str]]:
    """Map each parent to the names of its child spans; a parent outside the service is given by its ID."""
    names = {span.span_id: span.name for span in spans}
    found: dict[str, list[str]] = {}
    for span in spans:
        parent = names.get(span.parent_span_id, span.parent_span_id.hex())
        found[parent] = sorted([*found.get(parent, []), span.name])
    return found


def test_document_of_two_pages_gives_a_tree_of_spans(collector: Collector, tmp_path: Path) -> None:
    with traced(collector, OCR_OUTPUT_DIR=str(tmp_path)) as service:
        answer = post(service, headers=TRACEPARENT)
        spans = collector.wait_for(["POST /ocr", "open", *OF_A_PAGE * 2, "store"])
    assert answer.headers["X-Request-ID"] == TRACE
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert tree(spans) == {
        PARENT: ["POST /ocr"],
        "POST /ocr": ["open", "page", "page", "store"],
        "page": ["decode", "decode", "recognize", "recognize"],
    }
    [request] = [span for span in spans if span.name == "POST /ocr"]
    assert request.kind == Span.SPAN_KIND_SERVER
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/ocr",
        "http.response.status_code": 200,
        "ocr.request_id": TRACE,
        "ocr.engine": "scripted",
        "ocr.document.size": len(pdf_of_text(["secret-text"] * 2)),
        "ocr.pages": 2,
        "ocr.pages.failed": 0,
        "ocr.pages.doubtful": 0,
        "ocr.cached": False,
        "ocr.storage": "stored",
    }
    assert sorted(attributes(span)["ocr.page"] for span in spans if span.name == "page") == [1, 2]
    for span in spans:
        inside = request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert inside and span.end_time_unix_nano <= request.end_time_unix_nano
    assert collector.resource["service.name"] == "ocr-service"


def test_spans_contain_no_content_of_the_document(collector: Collector) -> None:
    with traced(collector, FASTAPI_OTEL_AUTO_CONFIGURE="true") as service:
        post(service)
        post(service, params={"image_url": "http://secret-host/secret-path"})
        post(service, files=None, data={"image_url": "http://127.0.0.1/secret-path?secret-query"})
        service.get("/secret-path?secret-query")
        names = ["POST /ocr", "open", *OF_A_PAGE * 2, "POST /ocr", "POST /ocr", "fetch", "GET other"]
        collector.wait_for(names)
    assert collector.bodies and not [body for body in collector.bodies if b"secret" in body]


def test_client_error_marks_the_failed_span_and_not_the_server_span(collector: Collector) -> None:
    with traced(collector) as service:
        post(service, files={"file": small_png()[:20]})
        refused, opening = sorted(collector.wait_for(["POST /ocr", "open"]), key=lambda span: span.name)
    assert attributes(refused)["http.response.status_code"] == 422
    assert refused.status.code == Status.STATUS_CODE_UNSET
    assert attributes(opening) == {"error.type": "broken_document"}
    assert opening.status.code == Status.STATUS_CODE_ERROR


def test_probes_are_not_traced(collector: Collector) -> None:
    with traced(collector, OTEL_SERVICE_NAME="named") as service:
        for path in ("/health", "/health/live", "/metrics"):
            service.get(path).raise_for_status()
        service.get("/version").raise_for_status()
        collector.wait_for(["GET /version"])
    assert collector.resource["service.name"] == "named"


def test_pending_spans_are_sent_at_shutdown(collector: Collector) -> None:
    with traced(collector, OTEL_BSP_SCHEDULE_DELAY="600000") as service:
        post(service)
        assert not collector.spans
    collector.wait_for(["POST /ocr", "open", *OF_A_PAGE * 2])


def test_unreachable_collector_only_logs_one_line(collector: Collector) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with traced(collector, OTEL_EXPORTER_OTLP_ENDPOINT=away, OTEL_EXPORTER_OTLP_TIMEOUT="1") as service:
        for _ in range(3):
            assert post(service).status_code == 200
            service.wait_for("spans cannot be sent")
    warnings = [line for line in service.log if "opentelemetry" in line or "spans cannot" in line]
    assert len(warnings) == 1, warnings


def test_hanging_collector_does_not_block_the_service(collector: Collector) -> None:
    collector.gate.clear()
    with traced(collector, OTEL_EXPORTER_OTLP_TIMEOUT="600") as service:
        for _ in range(3):
            assert post(service).status_code == 200
    assert [line for line in service.log if "the last spans were not sent within 5 s" in line]


def test_export_failure_is_logged_once_until_it_recovers(collector: Collector) -> None:
    collector.status = 400
    with traced(collector) as service:
        service.get("/version")
        service.wait_for("spans cannot be sent")
        collector.status = 200
        service.get("/version")
        service.wait_for("spans can be sent again")
    collector.wait_for(["GET /version"])


@pytest.mark.parametrize(
    "settings",
    [{"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}],
)
def test_disabled_tracing_sends_nothing(collector: Collector, settings: dict[str, str]) -> None:
    with traced(collector, **settings) as service:
        assert post(service, headers=TRACEPARENT).headers["X-Request-ID"] == TRACE
    assert not collector.bodies
    assert not [line for line in service.log if "tracing is enabled" in line]
