"""The stand-in for vLLM answers as the real one does: status, media type, and the form of the body.

`make test-real-vllm` runs these tests. REAL_VLLM_VENV names the environment, which has vLLM for a CPU.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ocr_service.core.engine import VlmState
from ocr_service.core.errors import RecognitionFailed
from ocr_service.engines.paddleocr_vl.vlm_address import VlmAddress
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient
from ocr_service.engines.paddleocr_vl.vlm_watch import VlmWatch
from ocr_service.preflight.findings import Outcome
from ocr_service.preflight.server import check_servers
from ocr_service.preflight.vllm_command import check_arguments, vllm_command
from tests.real_vllm.requests import REQUESTS, Request, completion, picture
from tests.real_vllm.running import VENV, RunningRealVllm, engine_of
from tests.running import FAST, RunningVllm

pytestmark = [
    pytest.mark.skipif(VENV is None, reason="REAL_VLLM_VENV is not set; `make test-real-vllm` sets it"),
    pytest.mark.timeout(900),
    pytest.mark.anyio,
]

KEY = "key"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRealVllm]:
    with RunningRealVllm(tmp_path_factory.mktemp("model"), KEY) as vllm:
        yield vllm


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningVllm]:
    with RunningVllm(*FAST, "--api-key", KEY) as vllm:
        yield vllm


def form(value: Any) -> Any:
    """Return the keys and types of a JSON value; an object without the keys that are null."""
    if isinstance(value, dict):
        return {name: form(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [form(part) for part in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_answer_has_the_status_and_the_form_of_the_real_one(
    real: RunningRealVllm, stand_in: RunningVllm, request_: Request
) -> None:
    answers = [request_.send(url, KEY) for url in (real.url, stand_in.url)]
    statuses = [answer.status_code for answer in answers]
    kinds = [answer.headers.get("content-type", "").partition(";")[0] for answer in answers]
    bodies = [answer.json() if kinds[0] == "application/json" else None for answer in answers]
    print(f"{request_.name}: {statuses} {kinds}\n  real: {form(bodies[0])}\n  stand-in: {form(bodies[1])}")
    assert statuses[0] == statuses[1] == request_.status
    if bodies[0] is not None:
        assert kinds[0] == kinds[1]
        assert form(bodies[0]) == form(bodies[1])


def test_metrics_have_the_figures_that_the_watch_reads(real: RunningRealVllm, stand_in: RunningVllm) -> None:
    for url in (real.url, stand_in.url):
        figures = httpx.get(f"{url}/metrics", timeout=120).text
        for name in ("vllm:generation_tokens_total{", "vllm:num_requests_running{"):
            assert any(line.startswith(name) for line in figures.splitlines()), (url, name)


def test_arguments_of_start_sh_are_accepted(real: RunningRealVllm) -> None:
    finding = check_arguments(vllm_command({**os.environ, **real.settings}))
    assert finding.outcome is Outcome.PASS, finding


@pytest.mark.parametrize(("key", "outcome"), [(KEY, Outcome.PASS), ("wrong", Outcome.FAIL)])
def test_preflight_checks_the_server(real: RunningRealVllm, key: str, outcome: Outcome) -> None:
    [finding] = check_servers(real.api, {"OCR_VLM_API_KEY": key})
    assert finding.outcome is outcome, finding


async def state_of(watch: VlmWatch) -> VlmState:
    return watch.status.state


async def test_wrong_key_is_reported_at_once(real: RunningRealVllm) -> None:
    client = VlmClient(VlmAddress(real.api, "wrong"), 300, 8)
    watch = VlmWatch(client)
    await watch.check()
    assert watch.status.error is not None and "401; OCR_VLM_API_KEY must be its key" in watch.status.error
    assert watch.status.state is VlmState.UNAVAILABLE
    await watch.close()
    await client.close()


@pytest.mark.parametrize(
    "name", ["more tokens than the context", "no picture", "cut JPEG", "picture beyond the limit of Pillow"]
)
async def test_refused_block_fails_alone(
    real: RunningRealVllm, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The client knows these refusals by their message, which the log has."""
    [body] = [request.body for request in REQUESTS if request.name == name]
    assert body is not None
    client = VlmClient(VlmAddress(real.api, KEY), 300, 8)
    with pytest.raises(RecognitionFailed):
        await client.complete(body)
    await client.close()
    print([record.getMessage() for record in caplog.records])
    assert "vLLM refused a block: " in caplog.text and "base64" not in caplog.text


async def test_stopped_engine_is_noticed(real: RunningRealVllm) -> None:
    """The health check of vLLM stays 200 while its engine is stopped."""
    client = VlmClient(VlmAddress(real.api, KEY), 300, 8)
    watch = VlmWatch(client, interval=0.5, hung_after=3)
    checking = asyncio.create_task(watch.run())
    try:
        await watch.check()
        assert watch.status.max_length == 16_384
        engine = engine_of(real.process.pid)
        os.kill(engine, signal.SIGSTOP)
        call = asyncio.create_task(client.complete(completion(picture())))
        done, _ = await asyncio.wait([call], timeout=120)
        assert call in done and "it hangs" in str(call.exception())
        assert watch.status.state is VlmState.UNAVAILABLE
        assert (await client.get(client.address.health, 10))[0] == 200
        os.kill(engine, signal.SIGCONT)
        while (await state_of(watch)) is not VlmState.READY:
            await asyncio.sleep(0.1)
        assert await client.complete(completion(picture())) is not None
    finally:
        checking.cancel()
        await asyncio.gather(checking, return_exceptions=True)
        await watch.close()
        await client.close()
