import asyncio

import pytest

from ocr_service.core.engine import EngineState
from ocr_service.core.errors import EngineUnavailable
from ocr_service.engines.lazy_start import RETRY_PAUSE, LazyStart

pytestmark = pytest.mark.anyio


class Builds:
    """Counts attempts; each waits for `gate` and then fails while `fault` is set."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.fault: Exception | None = None
        self.now = 1000.0

    async def __call__(self) -> None:
        self.count += 1
        self.begun.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def clock(self) -> float:
        return self.now


async def test_concurrent_callers_share_one_attempt() -> None:
    builds = Builds()
    start = LazyStart("Engine", builds, builds.clock)
    assert start.state == "not_initialized"
    waiting = [asyncio.create_task(start.ensure()) for _ in range(5)]
    await builds.begun.wait()
    assert start.state == "initializing"
    builds.gate.set()
    await asyncio.gather(*waiting)
    await start.ensure()
    assert (start.state, builds.count) == (EngineState.READY, 1)


async def test_failure_reaches_all_callers_and_is_retried_after_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    builds = Builds()
    builds.gate.set()
    builds.fault = EngineUnavailable("No weights.")
    start = LazyStart("PaddleOCR-VL", builds, builds.clock)
    failures = await asyncio.gather(*(start.ensure() for _ in range(3)), return_exceptions=True)
    assert [str(failure) for failure in failures] == ["No weights."] * 3
    assert start.state is EngineState.UNAVAILABLE
    assert "Failed to initialize PaddleOCR-VL: No weights." in caplog.text

    builds.now += RETRY_PAUSE - 3
    with pytest.raises(EngineUnavailable) as caught:
        await start.ensure()
    assert (builds.count, caught.value.retry_after) == (1, 3)

    builds.now += 3
    builds.fault = None
    await start.ensure()
    assert (start.state, builds.count) == (EngineState.READY, 2)


async def test_unexpected_failure_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    builds = Builds()
    builds.gate.set()
    builds.fault = ZeroDivisionError("in /srv/secret")
    start = LazyStart("Engine", builds, builds.clock)
    with pytest.raises(EngineUnavailable) as caught:
        await start.ensure()
    assert "secret" not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text


async def test_cancelled_caller_does_not_cancel_the_attempt() -> None:
    builds = Builds()
    start = LazyStart("Engine", builds, builds.clock)
    cancelled = asyncio.create_task(start.ensure())
    staying = asyncio.create_task(start.ensure())
    await builds.begun.wait()
    cancelled.cancel()
    builds.gate.set()
    await staying
    assert (start.state, builds.count) == (EngineState.READY, 1)


async def test_attempt_can_be_cancelled() -> None:
    builds = Builds()
    start = LazyStart("Engine", builds, builds.clock)
    waiting = asyncio.create_task(start.ensure())
    await builds.begun.wait()
    await start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert start.state is EngineState.NOT_INITIALIZED
