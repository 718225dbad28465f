"""Several vLLM servers: the choice of a server, failed calls, and the state of the pool."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from ocr_service.core.engine import VlmState
from ocr_service.core.errors import OcrError, VlmUnavailable
from ocr_service.engines.paddleocr_vl.settings import VlmSettings
from ocr_service.engines.paddleocr_vl.vlm_client import Completion
from ocr_service.engines.paddleocr_vl.vlm_pool import VlmPool
from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine, engine_on
from tests.paddleocr_vl.test_faults import BLOCKS, STUCK, scan, until
from tests.paddleocr_vl.test_vlm_metrics import metric
from tests.paddleocr_vl.test_vlm_watch import COMPLETION_REQUEST, Clock
from tests.running import FAST, RunningVllm, free_port
from tests.stand_ins.vllm_server import SERVED_MODEL

pytestmark = [pytest.mark.anyio, pytest.mark.stand_in("it needs several servers")]

# Seconds of a check that must succeed, however busy the machine is.
_PATIENCE = 120.0


@pytest.fixture(scope="module")
def pair() -> Iterator[list[RunningVllm]]:
    with RunningVllm(*FAST) as first, RunningVllm(*FAST) as second:
        yield [first, second]


@pytest.fixture
def healthy_pair(pair: list[RunningVllm]) -> Iterator[list[RunningVllm]]:
    """Two servers; their faults are cleared after each test."""
    yield pair
    for vllm in pair:
        vllm.fault(None)


def addresses(servers: list[RunningVllm]) -> str:
    return ", ".join(server.api for server in servers)


@asynccontextmanager
async def pool_of(
    servers: list[RunningVllm], clock: Clock | None = None, **settings: Any
) -> AsyncIterator[VlmPool]:
    """A pool that has checked its servers once."""
    pool = VlmPool(VlmSettings(url=addresses(servers), **settings), clock or Clock())
    try:
        await pool.check(_PATIENCE)
        yield pool
    finally:
        await pool.close()


async def complete(pool: VlmPool) -> Completion:
    return await pool.complete(SERVED_MODEL, COMPLETION_REQUEST)


def answered(servers: list[RunningVllm]) -> list[int]:
    return [server.stats()["answered"] for server in servers]


def failovers(server: RunningVllm) -> float:
    return metric("failovers_total", server=server.api)


async def test_calls_are_spread_evenly(healthy_pair: list[RunningVllm]) -> None:
    before = answered(healthy_pair)
    async with pool_of(healthy_pair) as pool:
        await asyncio.gather(*(complete(pool) for _ in range(10)))
        for _ in range(4):
            await complete(pool)
    assert [now - then for now, then in zip(answered(healthy_pair), before, strict=True)] == [7, 7]


async def test_busy_server_gets_no_further_calls() -> None:
    with RunningVllm(*STUCK) as slow, RunningVllm(*FAST) as quick:
        async with pool_of([slow, quick]) as pool:
            stuck = asyncio.create_task(complete(pool))
            await until(slow, lambda stats: stats["in_flight"] == 1)
            for _ in range(20):
                await complete(pool)
            assert (slow.stats()["calls"], quick.stats()["answered"]) == (1, 20)
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)


@pytest.mark.parametrize("fault", ["500", "break", "html"])
async def test_failed_call_is_sent_to_the_other_server(healthy_pair: list[RunningVllm], fault: str) -> None:
    broken = healthy_pair[0]
    broken.fault(fault)
    failed, begun = failovers(broken), broken.stats()["calls"]
    async with pool_of(healthy_pair) as pool:
        for _ in range(10):
            assert (await complete(pool)).text
        assert failovers(broken) == failed + 1, "a failing server is chosen although another one works"
    # A broken connection is tried again once at the same server.
    assert broken.stats()["calls"] - begun <= 2


async def test_refused_block_is_not_sent_again(healthy_pair: list[RunningVllm]) -> None:
    for vllm in healthy_pair:
        vllm.fault("400")
    begun = [vllm.stats()["calls"] for vllm in healthy_pair]
    async with pool_of(healthy_pair) as pool:
        with pytest.raises(OcrError, match="refused the image"):
            await complete(pool)
    assert sum(vllm.stats()["calls"] for vllm in healthy_pair) == sum(begun) + 1


async def test_block_that_ends_its_servers_is_seen_by_two(healthy_pair: list[RunningVllm]) -> None:
    with RunningVllm(*FAST) as third:
        servers = [*healthy_pair, third]
        for vllm in servers:
            vllm.fault("500")
        begun = sum(vllm.stats()["calls"] for vllm in servers)
        async with pool_of(servers) as pool:
            with pytest.raises(VlmUnavailable, match="answered 500"):
                await complete(pool)
        assert sum(vllm.stats()["calls"] for vllm in servers) == begun + 2


async def test_servers_that_cannot_be_reached_do_not_count() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(RunningVllm(*FAST)) for _ in range(4)]
        async with pool_of(servers) as pool:
            for dead in servers[:3]:
                dead.kill()
            assert (await complete(pool)).text


async def test_dead_server_is_left_out_and_found_again(healthy_pair: list[RunningVllm]) -> None:
    port = free_port()
    with RunningVllm(*FAST, port=port) as mortal:
        servers, clock = [mortal, healthy_pair[0]], Clock()
        async with pool_of(servers, clock) as pool:
            mortal.kill()
            for _ in range(4):
                await complete(pool)
            assert [status.state for status in pool.statuses] == [VlmState.UNAVAILABLE, VlmState.READY]
            assert (pool.status.state, pool.status.url) == (VlmState.READY, healthy_pair[0].api)
            with RunningVllm(*FAST, port=port) as reborn:
                await pool.check(_PATIENCE)
                clock.now += 11
                for _ in range(4):
                    await complete(pool)
                assert reborn.stats()["answered"] > 0


async def test_hung_server_loses_its_calls_to_the_other(healthy_pair: list[RunningVllm]) -> None:
    hung, other = healthy_pair
    hung.fault("hung engine")
    async with pool_of(healthy_pair, hang_timeout=0.05) as pool:
        begun = other.stats()["answered"]
        calls = [asyncio.create_task(complete(pool)) for _ in range(6)]
        await until(hung, lambda stats: stats["in_flight"] == 3)
        # A call that it does not answer for a moment would make it hung, too.
        await until(other, lambda stats: stats["answered"] == begun + 3)
        while pool.statuses[0].state is VlmState.READY:
            # The watch does this every 3 seconds.
            await pool.check(_PATIENCE)
        assert len({(await call).text for call in calls}) == 1
        assert [status.state for status in pool.statuses] == [VlmState.UNAVAILABLE, VlmState.READY]
        before = other.stats()["answered"]
        await complete(pool)
        assert other.stats()["answered"] == before + 1


async def test_all_servers_down_is_unavailable_with_every_reason() -> None:
    ports = [free_port(), free_port()]
    url = ",".join(f"http://me:secret@127.0.0.1:{port}/v1" for port in ports)
    pool = VlmPool(VlmSettings(url=url))
    with pytest.raises(VlmUnavailable) as refusal:
        await pool.ensure_ready()
    await pool.close()
    for port in ports:
        assert f"http://127.0.0.1:{port}/v1: Connection refused" in refusal.value.detail
    assert "secret" not in refusal.value.detail


async def test_server_with_another_model_is_left_out(healthy_pair: list[RunningVllm]) -> None:
    with RunningVllm(*FAST, "--model", "PaddleOCR-VL-0.9B") as other:
        async with pool_of([other, *healthy_pair]) as pool:
            assert (pool.status.url, pool.status.model) == (healthy_pair[0].api, SERVED_MODEL)
            status = pool.statuses[0]
            assert status.state is VlmState.UNAVAILABLE
            assert status.error == f"it serves PaddleOCR-VL-0.9B, and the other servers {SERVED_MODEL}"
            for _ in range(4):
                await complete(pool)
            assert other.stats()["calls"] == 0


async def test_pages_in_progress_keep_their_model_during_an_update() -> None:
    with RunningVllm(*FAST) as old, RunningVllm(*FAST) as first, RunningVllm(*FAST) as second:
        async with pool_of([old, first, second]) as pool:
            for renewed in (first, second):
                renewed.serve_as("PaddleOCR-VL-0.9B")
            for server in pool._servers:
                server.watch.report_failure()
            await pool.check(_PATIENCE)
            await pool.check(_PATIENCE)
            assert pool.status.model == "PaddleOCR-VL-0.9B"
            assert (await complete(pool)).text, "the call names the old model"
            assert old.stats()["answered"] == 1


async def test_smallest_context_counts() -> None:
    with RunningVllm(*FAST) as long, RunningVllm(*FAST, "--max-model-len", "4000") as short:
        async with pool_of([long, short]) as pool:
            assert pool.status.max_length == 4000
            short.kill()
            await pool.check(_PATIENCE)
            assert pool.status.max_length == 4000, "a server that comes back would refuse long blocks"


async def test_key_is_refused_by_one_server() -> None:
    with (
        RunningVllm(*FAST, "--api-key", "right") as first,
        RunningVllm(*FAST, "--api-key", "another") as second,
    ):
        async with pool_of([first, second], api_key="right") as pool:
            assert [status.state for status in pool.statuses] == [VlmState.READY, VlmState.UNAVAILABLE]
            assert "OCR_VLM_API_KEY" in str(pool.statuses[1].error)


async def texts_of(pages: int, client: Any) -> list[Any]:
    async def read(number: int) -> Any:
        answer = await client.post("/ocr", files=scan(seed=number))
        assert answer.status_code == 200, answer.text
        [page] = answer.json()["pages"]
        assert page["error"] is None and [block["error"] for block in page["blocks"]] == [None] * BLOCKS
        return [block["content"] for block in page["blocks"]]

    return await asyncio.gather(*map(read, range(pages)))


async def test_pages_are_whole_when_one_of_three_servers_dies(
    start_engine: StartEngine, models: dict[str, str], healthy_pair: list[RunningVllm]
) -> None:
    pages = 6
    async with start_engine(healthy_pair[0]) as engine, serving(engine) as client:
        expected = await texts_of(pages, client)
    with RunningVllm(*STUCK) as mortal, RunningVllm("--step-ms", "2") as slow:
        servers = [mortal, slow, healthy_pair[0]]
        async with (
            start_engine(mortal, ocr_vlm_url=addresses(servers)) as engine,
            serving(engine) as client,
        ):
            reading = asyncio.create_task(texts_of(pages, client))
            await until(mortal, lambda stats: stats["in_flight"] > 0)
            mortal.kill()
            assert await reading == expected
            health = await client.get("/health/vllm")
            assert health.status_code == 200
            states = [server["status"] for server in health.json()["servers"]]
            assert states == ["unavailable", "ready", "ready"]
            assert failovers(mortal) > 0
            assert (await client.get("/health/ready")).status_code == 200


async def test_more_servers_take_more_pages(healthy_pair: list[RunningVllm], models: dict[str, str]) -> None:
    alone, both = engine_on(healthy_pair[0]), engine_on(healthy_pair[0], ocr_vlm_url=addresses(healthy_pair))
    assert both.max_pages_in_flight == 2 * alone.max_pages_in_flight
    assert both.job_pages == 2 * alone.job_pages
    await alone.close()
    await both.close()
