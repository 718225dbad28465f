"""Calls to vLLM belong to their request's trace, and the trace context is propagated to vLLM."""

import io

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.collector import Collector, attributes
from tests.running import RunningService, RunningVllm
from tests.stand_ins.pages import Box, draw_page

OF_A_PAGE = ["page", "text_layer", "decode", "recognize", "chat", "chat"]
BLOCKS = [Box("text", 5, 8, 58, 20), Box("text", 5, 30, 58, 45)]


@pytest.mark.stand_in("it records the trace context")
def test_calls_to_vllm_carry_the_trace_of_their_page(models: dict[str, str], vllm: RunningVllm) -> None:
    file = io.BytesIO()
    page = draw_page(BLOCKS)
    page.save(file, "TIFF", save_all=True, append_images=[page])
    settings = {
        **models,
        "OCR_ENGINE": "paddleocr-vl",
        "OCR_LAYOUT_ENGINE": "onnxruntime",
        "OCR_VLM_URL": vllm.api,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    vllm.record()
    with Collector() as collector:
        with RunningService(**settings, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as service:
            service.client.post("/ocr", files={"file": file.getvalue()}).raise_for_status()
        spans = {span.span_id: span for span in collector.wait_for(["POST /ocr", "open", *OF_A_PAGE * 2])}
    calls = [span for span in spans.values() if span.name == "chat"]
    assert [above(spans, call) for call in calls] == [["recognize", "page", "POST /ocr"]] * 4
    assert len({call.parent_span_id for call in calls}) == 2, "calls of two pages have the same parent"
    assert {call.kind for call in calls} == {Span.SPAN_KIND_CLIENT}
    host, port = vllm.url.removeprefix("http://").split(":")
    assert attributes(calls[0]) == {
        "gen_ai.operation.name": "chat",
        "server.address": host,
        "server.port": int(port),
    }
    # Without the trace flags.
    parents = [str(parent)[:-3] for parent in vllm.parents()]
    assert sorted(parents) == sorted(f"00-{call.trace_id.hex()}-{call.span_id.hex()}" for call in calls)


def above(spans: dict[bytes, Span], span: Span) -> list[str]:
    """Return the names of the enclosing spans, the nearest first."""
    parent = spans.get(span.parent_span_id)
    return [parent.name, *above(spans, parent)] if parent else []
