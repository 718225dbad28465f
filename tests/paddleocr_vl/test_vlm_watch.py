"""The health watch of vLLM: its states, and how soon it notices a change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ocr_service.core.engine import VlmState
from ocr_service.core.errors import VlmUnavailable
from ocr_service.engines.paddleocr_vl.vlm_client import VlmAddress, VlmClient
from ocr_service.engines.paddleocr_vl.vlm_watch import STARTUP_SECONDS, VlmWatch
from tests.running import FAST, RunningVllm, free_port

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def watching(
    url: str, clock: Clock | None = None, max_seconds: float = 5, not_started: str | None = None
) -> AsyncIterator[VlmWatch]:
    client = VlmClient(VlmAddress(url), 30, 4)
    watch = VlmWatch(client, max_seconds=max_seconds, not_started=not_started, clock=clock or Clock())
    try:
        yield watch
    finally:
        await watch.close()
        await client.close()


async def state_after_check(watch: VlmWatch) -> VlmState:
    await watch.check()
    return watch.status.state


async def test_healthy_server_is_ready(vllm: RunningVllm, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with watching(vllm.api.replace("http://", "http://user:secret@")) as watch:
        assert watch.status.state is VlmState.STARTING
        await watch.ensure_ready()
        await watch.check()
        status = watch.status
    assert (status.state, status.model) == (VlmState.READY, "PaddleOCR-VL-1.6-0.9B")
    assert status.url == vllm.api
    assert status.latency == 0 and status.error is None
    assert caplog.text.count("is ready: it serves PaddleOCR-VL-1.6-0.9B") == 1
    assert "secret" not in caplog.text


async def test_new_model_is_noticed_after_an_unnoticed_restart(vllm: RunningVllm) -> None:
    async with watching(vllm.api) as watch:
        await watch.ensure_ready()
        vllm.serve_as("PaddleOCR-VL-0.9B")
        await watch.check()
        assert watch.status.model == "PaddleOCR-VL-1.6-0.9B", "the model is asked for at every check"
        watch.report_failure()
        await watch.check()
        assert watch.status.model == "PaddleOCR-VL-0.9B"
        vllm.serve_as("PaddleOCR-VL-1.6-0.9B")


async def test_absent_server_is_starting_at_first() -> None:
    clock = Clock()
    async with watching(f"http://127.0.0.1:{free_port()}/v1", clock) as watch:
        with pytest.raises(VlmUnavailable, match=r"starting.*refused"):
            await watch.ensure_ready()
        clock.now += STARTUP_SECONDS - 1
        assert await state_after_check(watch) is VlmState.STARTING
        clock.now += 2
        with pytest.raises(VlmUnavailable, match=r"unavailable.*refused"):
            await watch.ensure_ready()


async def test_server_that_is_not_started_here_is_down_at_once() -> None:
    port = free_port()
    async with watching(f"http://127.0.0.1:{port}/v1", not_started="no GPU") as watch:
        assert watch.status.state is VlmState.UNAVAILABLE
        assert watch.status.error == "it is not started here: no GPU"
        with pytest.raises(VlmUnavailable, match=r"unavailable.*refused; it is not started here: no GPU"):
            await watch.ensure_ready()
        with RunningVllm(*FAST, port=port):
            assert await state_after_check(watch) is VlmState.READY
            assert watch.status.error is None
        assert await state_after_check(watch) is VlmState.UNAVAILABLE
        assert watch.status.error is not None and "not started here" not in watch.status.error


async def test_server_that_stops_and_starts_again() -> None:
    port = free_port()
    async with watching(f"http://127.0.0.1:{port}/v1") as watch:
        with RunningVllm(*FAST, port=port):
            assert await state_after_check(watch) is VlmState.READY
        assert await state_after_check(watch) is VlmState.UNAVAILABLE
        assert watch.status.error is not None and watch.status.latency is None
        with RunningVllm(*FAST, "--model", "PaddleOCR-VL-1.5-0.9B", port=port):
            # Before the next check.
            await watch.ensure_ready()
    assert watch.status.state is VlmState.READY
    assert watch.status.model == "PaddleOCR-VL-1.5-0.9B"


async def test_unhealthy_server_is_down(vllm: RunningVllm) -> None:
    vllm.fault("unhealthy")
    async with watching(vllm.api) as watch:
        with pytest.raises(VlmUnavailable, match="503"):
            await watch.ensure_ready()


async def test_server_with_another_model_is_down() -> None:
    with RunningVllm(*FAST, "--model", "another-model") as vllm:
        async with watching(vllm.api) as watch:
            with pytest.raises(VlmUnavailable, match="serves no PaddleOCR-VL"):
                await watch.ensure_ready()


async def test_silent_server_cancels_its_calls(vllm: RunningVllm) -> None:
    """Calls in flight are cancelled if the server stays silent for long."""
    clock = Clock()
    async with watching(vllm.api, clock, max_seconds=0.05) as watch:
        vllm.fault("hang")
        client = watch._client
        body = b'{"model": "PaddleOCR-VL-1.6-0.9B", "messages": []}'
        call = asyncio.create_task(client.complete(body))
        await watch.check()
        assert watch.status.error == "no answer in time"
        clock.now += 10
        await watch.check()
        assert not call.done()
        clock.now += 11
        await watch.check()
        with pytest.raises(VlmUnavailable, match="stopped answering"):
            await call
        vllm.fault(None)
        await watch.check(max_seconds=5)
        assert watch.status.state is VlmState.READY


async def test_watch_survives_an_unexpected_error(caplog: pytest.LogCaptureFixture) -> None:
    async with watching("http://a..b/v1") as watch:
        with pytest.raises(VlmUnavailable):
            await watch.ensure_ready()
        assert watch.status.error is not None


async def test_concurrent_callers_share_one_check(vllm: RunningVllm) -> None:
    before = vllm.stats()["health_checks"]
    async with watching(vllm.api) as watch:
        await asyncio.gather(*(watch.ensure_ready() for _ in range(20)))
    assert vllm.stats()["health_checks"] == before + 1


async def test_checks_are_repeated(vllm: RunningVllm) -> None:
    client = VlmClient(VlmAddress(vllm.api), 30, 4)
    watch = VlmWatch(client, interval=0.01)
    before = vllm.stats()["health_checks"]
    running = asyncio.create_task(watch.run())
    while (await asyncio.to_thread(vllm.stats))["health_checks"] < before + 3:
        assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await watch.close()
    await client.close()
