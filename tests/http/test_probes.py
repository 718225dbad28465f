"""`/health/live` and `/health/ready`, and the reasons that they report."""

import re
import time

import pytest

from ocr_service.core.engine import EngineState, VlmState, VlmStatus
from tests.fakes.absent_engine import AbsentEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving

pytestmark = pytest.mark.anyio


async def test_running_service_is_alive_and_ready() -> None:
    async with serving(ScriptedEngine()) as client:
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "alive", "reasons": []})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


class _FragileEngine(ScriptedEngine):
    async def watch(self) -> None:
        raise RuntimeError


async def test_dead_background_task_fails_liveness() -> None:
    async with serving(_FragileEngine()) as client:
        live = await client.get("/health/live")
        health = await client.get("/health")
    assert live.status_code == 503
    assert live.json() == {"status": "failing", "reasons": ["engine monitor has failed"]}
    assert health.status_code == 200


async def test_stalled_event_loop_fails_liveness() -> None:
    async with serving(ScriptedEngine(), ocr_stall_timeout=1) as client:
        # A busy machine may have stopped the process for longer than the limit; this is told for 10 s.
        while (await client.get("/health/live")).status_code != 200:
            pass
        # Blocks the event loop, which the service shares, for twice the limit.
        time.sleep(2)  # noqa: ASYNC251
        live = await client.get("/health/live")
    assert live.status_code == 503
    [reason] = live.json()["reasons"]
    assert re.fullmatch(r"the event loop was blocked for [1-9]\d* s", reason)


@pytest.mark.parametrize(
    ("engine", "vlm", "reason"),
    [
        (EngineState.UNAVAILABLE, VlmStatus(), "could not be started"),
        (EngineState.READY, VlmStatus(VlmState.STARTING), "the vLLM server is starting"),
        (
            EngineState.READY,
            VlmStatus(VlmState.UNAVAILABLE, error="It is gone"),
            "It is gone",
        ),
    ],
)
async def test_not_ready_has_a_reason(engine: EngineState, vlm: VlmStatus, reason: str) -> None:
    scripted = ScriptedEngine()
    scripted.state, scripted.vlm = engine, vlm
    async with serving(scripted) as client:
        ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert reason in ready.json()["reasons"][0]


@pytest.mark.parametrize("state", [EngineState.NOT_INITIALIZED, EngineState.INITIALIZING])
async def test_engine_not_started_is_ready_unless_it_is_preloaded(
    state: EngineState,
) -> None:
    engine = ScriptedEngine()
    engine.state = state
    async with serving(engine) as client:
        assert (await client.get("/health/ready")).status_code == 200
    async with serving(engine, ocr_preload=True) as client:
        ready = await client.get("/health/ready")
    assert ready.json()["reasons"] == ["Scripted is starting"]


async def test_failed_preload_does_not_end_the_service() -> None:
    async with serving(AbsentEngine(), ocr_preload=True) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
