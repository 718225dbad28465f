"""The health watch of vLLM: its states, and how soon it notices a change."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ocr_service.core.engine import VlmState
from ocr_service.core.errors import VlmUnavailable
from ocr_service.engines.paddleocr_vl.vlm_address import VlmAddress
from ocr_service.engines.paddleocr_vl.vlm_client import Completion, VlmClient
from ocr_service.engines.paddleocr_vl.vlm_progress import VlmProgress
from ocr_service.engines.paddleocr_vl.vlm_watch import STARTUP_SECONDS, VlmWatch
from tests.paddleocr_vl.test_vlm_client import http, never, talking
from tests.paddleocr_vl.test_vlm_metrics import metric
from tests.running import FAST, RunningVllm, Vllm, free_port

pytestmark = pytest.mark.anyio

JPEG = "data:image/jpeg;base64,/9j/4AAQ/9k="
CONTENT = [{"type": "image_url", "image_url": {"url": JPEG}}, {"type": "text", "text": "OCR:"}]
COMPLETION_REQUEST = json.dumps(
    {"model": "PaddleOCR-VL-1.6-0.9B", "messages": [{"role": "user", "content": CONTENT}]}
).encode()


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def watching(
    url: str,
    clock: Clock | None = None,
    max_seconds: float = 120,
    not_started: str | None = None,
    key: str | None = None,
    restart: Callable[[], None] = lambda: None,
) -> AsyncIterator[VlmWatch]:
    client = VlmClient(VlmAddress(url, key), 600, 4)
    watch = VlmWatch(
        client,
        interval=60,
        max_seconds=max_seconds,
        restart_after=180,
        restart=restart,
        not_started=not_started,
        clock=clock or Clock(),
    )
    try:
        yield watch
    finally:
        await watch.close()
        await client.close()


@asynccontextmanager
async def calling(watch: VlmWatch, vllm: RunningVllm) -> AsyncIterator["asyncio.Task[Completion]"]:
    """Have one call in flight; it is cancelled at the end."""
    before = vllm.stats()["calls"]
    call = asyncio.create_task(watch._client.complete(COMPLETION_REQUEST))
    while (await asyncio.to_thread(vllm.stats))["calls"] == before:
        assert not call.done()
    try:
        yield call
    finally:
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


async def check_after(
    watch: VlmWatch, clock: Clock, *pauses: float, max_seconds: float | None = None
) -> VlmState:
    """Check after each pause, in seconds of the clock."""
    for pause in pauses:
        clock.now += pause
        await watch.check(max_seconds)
    return watch.status.state


async def checked(watch: VlmWatch) -> str:
    """Check, and return the state and the error."""
    await watch.check()
    return f"{watch.status.state}: {watch.status.error}"


async def state_after_check(watch: VlmWatch) -> VlmState:
    await watch.check()
    return watch.status.state


async def test_healthy_server_is_ready(vllm: Vllm, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with watching(vllm.api.replace("http://", "http://user:secret@")) as watch:
        assert watch.status.state is VlmState.STARTING
        assert await state_after_check(watch) is VlmState.READY
        await watch.check()
        status = watch.status
    assert (status.state, status.model) == (VlmState.READY, "PaddleOCR-VL-1.6-0.9B")
    assert status.url == vllm.api
    assert status.latency == 0 and status.error is None
    assert caplog.text.count("is ready: it serves PaddleOCR-VL-1.6-0.9B") == 1
    assert "secret" not in caplog.text


@pytest.mark.stand_in("it renames the model")
async def test_new_model_is_noticed_after_an_unnoticed_restart(vllm: RunningVllm) -> None:
    async with watching(vllm.api) as watch:
        assert await state_after_check(watch) is VlmState.READY
        vllm.serve_as("PaddleOCR-VL-0.9B")
        await watch.check()
        assert watch.status.model == "PaddleOCR-VL-1.6-0.9B", "the model is asked for at every check"
        watch.report_failure()
        await watch.check()
        assert watch.status.model == "PaddleOCR-VL-0.9B"


async def test_absent_server_is_starting_at_first() -> None:
    clock = Clock()
    async with watching(f"http://127.0.0.1:{free_port()}/v1", clock) as watch:
        assert re.search(r"starting.*refused", await checked(watch))
        clock.now += STARTUP_SECONDS - 1
        assert await state_after_check(watch) is VlmState.STARTING
        clock.now += 2
        assert re.search(r"unavailable.*refused", await checked(watch))


@pytest.mark.stand_in("it starts vLLM late")
async def test_server_that_is_not_started_here_is_down_at_once() -> None:
    port = free_port()
    async with watching(f"http://127.0.0.1:{port}/v1", not_started="no GPU") as watch:
        assert watch.status.state is VlmState.UNAVAILABLE
        assert watch.status.error == "it is not started here: no GPU"
        assert re.search(r"unavailable.*refused; it is not started here: no GPU", await checked(watch))
        with RunningVllm(*FAST, port=port):
            assert await state_after_check(watch) is VlmState.READY
            assert watch.status.error is None
        assert await state_after_check(watch) is VlmState.UNAVAILABLE
        assert watch.status.error is not None and "not started here" not in watch.status.error


@pytest.mark.stand_in("it restarts vLLM")
async def test_server_that_stops_and_starts_again() -> None:
    port = free_port()
    async with watching(f"http://127.0.0.1:{port}/v1") as watch:
        with RunningVllm(*FAST, port=port):
            assert await state_after_check(watch) is VlmState.READY
        assert await state_after_check(watch) is VlmState.UNAVAILABLE
        assert watch.status.error is not None and watch.status.latency is None
        with RunningVllm(*FAST, "--model", "PaddleOCR-VL-1.5-0.9B", port=port):
            # Before the next check.
            assert await state_after_check(watch) is VlmState.READY
    assert watch.status.state is VlmState.READY
    assert watch.status.model == "PaddleOCR-VL-1.5-0.9B"


@pytest.mark.stand_in("it makes vLLM fail")
async def test_unhealthy_server_is_down(vllm: RunningVllm) -> None:
    vllm.fault("unhealthy")
    async with watching(vllm.api) as watch:
        assert re.search("503", await checked(watch))


@pytest.mark.stand_in("it starts vLLM with another model")
async def test_server_with_another_model_is_down() -> None:
    with RunningVllm(*FAST, "--model", "another-model") as vllm:
        async with watching(vllm.api) as watch:
            assert re.search("serves no PaddleOCR-VL", await checked(watch))


@pytest.mark.stand_in("it makes vLLM fail")
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
        await watch.check(max_seconds=120)
        assert watch.status.state is VlmState.READY


async def test_watch_survives_an_unexpected_error(caplog: pytest.LogCaptureFixture) -> None:
    async with watching("http://a..b/v1") as watch:
        assert await state_after_check(watch) is not VlmState.READY
        assert watch.status.error is not None


@pytest.mark.stand_in("it counts the health checks")
async def test_concurrent_callers_share_one_check(vllm: RunningVllm) -> None:
    before = vllm.stats()["health_checks"]
    async with watching(vllm.api) as watch:
        await asyncio.gather(*(watch.check() for _ in range(20)))
    assert vllm.stats()["health_checks"] == before + 1


@pytest.mark.stand_in("it counts the health checks")
async def test_checks_are_repeated(vllm: RunningVllm) -> None:
    client = VlmClient(VlmAddress(vllm.api), 30, 4)
    watch = VlmWatch(client, interval=0.01, max_seconds=120)
    before = vllm.stats()["health_checks"]
    running = asyncio.create_task(watch.run())
    while (await asyncio.to_thread(vllm.stats))["health_checks"] < before + 3:
        assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await watch.close()
    await client.close()


@pytest.mark.stand_in("it needs a vLLM with a key")
async def test_wrong_key_is_reported_at_once() -> None:
    with RunningVllm(*FAST, "--api-key", "right", "--max-model-len", "2000") as vllm:
        async with watching(vllm.api, key="wrong") as watch:
            assert re.search(r"unavailable.*401; OCR_VLM_API_KEY must be its key", await checked(watch))
        async with watching(vllm.api, key="right") as watch:
            assert await state_after_check(watch) is VlmState.READY
            assert watch.status.max_length == 2000


@pytest.mark.stand_in("it makes vLLM fail")
async def test_hung_engine_behind_an_open_health_check(
    vllm: RunningVllm, caplog: pytest.LogCaptureFixture
) -> None:
    clock, restarts, hangs = Clock(), [], metric("hangs_total", server=vllm.api)
    async with watching(vllm.api, clock, restart=lambda: restarts.append(clock.now)) as watch:
        assert await state_after_check(watch) is VlmState.READY
        vllm.fault("hung engine")
        async with calling(watch, vllm) as call:
            assert await check_after(watch, clock, 3, 3, 53) is VlmState.READY and not call.done()
            assert await check_after(watch, clock, 7) is VlmState.UNAVAILABLE
            with pytest.raises(VlmUnavailable, match="stopped answering: it hangs"):
                await call
        # A check of a hung server is a call, which is not answered.
        await check_after(watch, clock, 0, max_seconds=1)
        assert "it had calls for 60 s, and has generated nothing" in str(watch.status.error)
        await check_after(watch, clock, 60, max_seconds=1)
        assert not restarts
        await check_after(watch, clock, 60, 60, max_seconds=1)
        assert restarts == [1000 + 3 + 3 + 53 + 7 + 60 + 60]
        assert caplog.text.count("it hangs") == 1 and metric("hangs_total", server=vllm.api) == hangs + 1
        vllm.fault(None)
        assert await state_after_check(watch) is VlmState.READY
        assert await watch._client.complete(COMPLETION_REQUEST)


@pytest.mark.stand_in("it makes vLLM fail")
async def test_callers_that_leave_do_not_hide_a_hang(vllm: RunningVllm) -> None:
    clock = Clock()
    async with watching(vllm.api, clock) as watch:
        vllm.fault("hung engine")
        for _ in range(2):
            async with calling(watch, vllm):
                assert await check_after(watch, clock, 5, 5, 20) is VlmState.READY
            # A server without calls may do nothing.
            assert await check_after(watch, clock, 60, 60) is VlmState.READY
        async with calling(watch, vllm):
            assert await check_after(watch, clock, 5, 15) is VlmState.UNAVAILABLE


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_one_long_answer_is_not_a_hang() -> None:
    clock = Clock()
    with RunningVllm("--step-ms", "50") as vllm:
        vllm.script("", "word ")
        async with watching(vllm.api, clock) as watch, calling(watch, vllm) as call:
            for _ in range(4):
                seen = generated(vllm)
                while generated(vllm) == seen:
                    await asyncio.sleep(0)
                assert await check_after(watch, clock, 60) is VlmState.READY
            assert not call.done()


def generated(vllm: RunningVllm) -> str:
    metrics = vllm.get("/metrics").text
    found = re.search("generation_tokens_total.*", metrics)
    assert found
    return found[0]


async def test_server_without_metrics_never_counts_as_hung() -> None:
    async def answer_all_but_the_first(number: int) -> bytes | None:
        return await never(number) if number == 1 else http("404 Not Found")

    clock = Clock()
    async with talking(answer_all_but_the_first) as (client, server):
        call = asyncio.create_task(client.complete(b"{}"))
        await server.received.wait()
        progress = VlmProgress(client, 5, clock)
        for _ in range(3):
            clock.now += 5
            await progress.check(5)
        call.cancel()
    assert len(server.requests) == 3 and progress.stalled == 0


@pytest.mark.stand_in("it makes vLLM fail")
async def test_missed_check_does_not_stop_a_ready_server(vllm: RunningVllm) -> None:
    clock, restarts = Clock(), []
    async with watching(vllm.api, clock, 0.05, restart=lambda: restarts.append(clock.now)) as watch:
        await watch.check(max_seconds=120)
        vllm.fault("hang")
        assert await check_after(watch, clock, 5, 9) is VlmState.READY
        assert await check_after(watch, clock, 1) is VlmState.UNAVAILABLE
        await check_after(watch, clock, 169)
        assert not restarts
        await check_after(watch, clock, 1, 60)
        assert restarts == [1000 + 5 + 180]
