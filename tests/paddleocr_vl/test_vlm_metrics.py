"""The metrics of the calls to vLLM."""

import asyncio

import pytest

from ocr_service.core.errors import OcrError
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient
from ocr_service.telemetry.metrics import REGISTRY
from tests.paddleocr_vl.test_vlm_client import COMPLETION, always, http, never, talking

pytestmark = pytest.mark.anyio


def metric(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"ocr_vlm_{name}", labels)
    assert value is not None
    return value


def calls(client: VlmClient, outcome: str) -> tuple[float, float]:
    """Return the number of calls with this outcome, and the number of timed calls."""
    server = client.address.url
    return (
        metric("calls_total", server=server, outcome=outcome),
        metric("call_duration_seconds_count", server=server),
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (http("200 OK", COMPLETION), "answered"),
        (http("200 OK", COMPLETION[:-3] + b', "finish_reason": "length"}]}'), "truncated"),
        (http("200 OK", COMPLETION[:-3] + b', "finish_reason": "repetition"}]}'), "repetition"),
        (http("400 Bad Request"), "recognition_failed"),
        (http("500 Internal Server Error"), "vlm_unavailable"),
        (http("200 OK", b"no completion"), "vlm_unavailable"),
    ],
)
async def test_calls_are_counted_by_outcome(answer: bytes, outcome: str) -> None:
    async with talking(always(answer)) as (client, _):
        ended, timed = calls(client, outcome)
        await asyncio.gather(client.complete(b"{}"), return_exceptions=True)
    assert calls(client, outcome) == (ended + 1, timed + 1)


async def test_timed_out_call_is_counted() -> None:
    async with talking(never, limit=1) as (client, _):
        ended, timed = calls(client, "vlm_timeout")
        with pytest.raises(OcrError):
            await client.complete(b"{}")
    assert calls(client, "vlm_timeout") == (ended + 1, timed + 1)


async def test_calls_in_flight_and_cancelled_calls() -> None:
    async with talking(never, at_once=1) as (client, server):
        ended, _ = calls(client, "cancelled")
        sent, waiting = (asyncio.create_task(client.complete(b"{}")) for _ in range(2))
        await server.received.wait()
        assert metric("calls_in_flight", server=client.address.url) == 1
        for task in (waiting, sent):
            task.cancel()
        await asyncio.gather(sent, waiting, return_exceptions=True)
    assert metric("calls_in_flight", server=client.address.url) == 0
    assert calls(client, "cancelled")[0] == ended + 1, "an unsent call is counted"


async def test_retries() -> None:
    async def hang_up_once(number: int) -> bytes | None:
        return None if number == 2 else http("200 OK", COMPLETION)

    async with talking(hang_up_once) as (client, server):
        before = metric("retries_total", server=client.address.url)
        for _ in range(2):
            await client.complete(b"{}")
    assert len(server.requests) == 3
    assert metric("retries_total", server=client.address.url) == before + 1
