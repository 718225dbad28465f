"""The metrics of the calls to vLLM."""

import asyncio

import pytest

from ocr_service.core.errors import OcrError
from ocr_service.telemetry.metrics import REGISTRY
from tests.paddleocr_vl.test_vlm_client import COMPLETION, always, http, never, talking

pytestmark = pytest.mark.anyio


def metric(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"ocr_vlm_{name}", labels)
    assert value is not None
    return value


def calls(outcome: str) -> tuple[float, float]:
    """Return the number of calls with this outcome, and the number of timed calls."""
    return metric("calls_total", outcome=outcome), metric("call_duration_seconds_count")


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
    ended, timed = calls(outcome)
    async with talking(always(answer)) as (client, _):
        await asyncio.gather(client.complete(b"{}"), return_exceptions=True)
    assert calls(outcome) == (ended + 1, timed + 1)


async def test_timed_out_call_is_counted() -> None:
    ended, timed = calls("vlm_timeout")
    async with talking(never, limit=1) as (client, _):
        with pytest.raises(OcrError):
            await client.complete(b"{}")
    assert calls("vlm_timeout") == (ended + 1, timed + 1)


async def test_calls_in_flight_and_cancelled_calls() -> None:
    ended, _ = calls("cancelled")
    async with talking(never, at_once=1) as (client, server):
        sent, waiting = (asyncio.create_task(client.complete(b"{}")) for _ in range(2))
        await server.received.wait()
        assert metric("calls_in_flight") == 1
        for task in (waiting, sent):
            task.cancel()
        await asyncio.gather(sent, waiting, return_exceptions=True)
    assert metric("calls_in_flight") == 0
    assert calls("cancelled")[0] == ended + 1, "an unsent call is counted"


async def test_retries() -> None:
    async def hang_up_once(number: int) -> bytes | None:
        return None if number == 2 else http("200 OK", COMPLETION)

    before = metric("retries_total")
    async with talking(hang_up_once) as (client, server):
        for _ in range(2):
            await client.complete(b"{}")
    assert len(server.requests) == 3
    assert metric("retries_total") == before + 1
