"""Responses over HTTP when vLLM fails, with the real pipeline and a stand-in vLLM that can fail."""

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.http.jobs import submitted
from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine
from tests.running import FAST, RunningVllm, Vllm, free_port
from tests.samples import pdf_of_images
from tests.stand_ins.pages import text_page

pytestmark = pytest.mark.anyio

# No answer within a test.
STUCK = ("--step-ms", "1000000")

BLOCKS = 12


def scan(blocks: int = BLOCKS, seed: int = 0) -> dict[str, tuple[str, bytes]]:
    file = io.BytesIO()
    text_page(blocks, seed).save(file, "PNG")
    return {"file": ("scan.png", file.getvalue())}


async def until(vllm: RunningVllm, holds: Callable[[dict[str, int]], bool]) -> None:
    """Poll the statistics of the stand-in until the condition holds."""
    while not holds(await asyncio.to_thread(vllm.stats)):
        await asyncio.sleep(0.01)


async def health(client: httpx.AsyncClient) -> str:
    answer: str = (await client.get("/health")).json()["vllm"]
    return answer


async def test_page_is_read_when_vllm_is_healthy(vllm: Vllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm) as engine, serving(engine) as client:
        answer = await client.post("/ocr", files=scan())
        [page] = answer.json()["pages"]
        assert answer.status_code == 200
        assert page["error"] is None and len(page["blocks"]) == BLOCKS
        assert all(block["content"] and block["error"] is None for block in page["blocks"])
        assert await health(client) == "ready"
        detail = await client.get("/health/vllm")
        assert detail.status_code == 200
        seen = detail.json()
        assert seen.pop("servers") == [seen]
        assert seen.pop("latency_ms") > 0
        assert seen == {
            "status": "ready",
            "url": vllm.api,
            "model": "PaddleOCR-VL-1.6-0.9B",
            "error": None,
        }


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_vllm_dies_in_the_middle_of_a_page(start_engine: StartEngine) -> None:
    port = free_port()
    with RunningVllm(*STUCK, port=port) as vllm:
        async with start_engine(vllm) as engine, serving(engine) as client:
            request = asyncio.create_task(client.post("/ocr", files=scan()))
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
            vllm.kill()
            answer = await request
            assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            answer = await client.post("/ocr", files=scan())
            assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
            while (await client.get("/health/vllm")).status_code != 503:
                await asyncio.sleep(0.01)
            with RunningVllm(*FAST, port=port):
                assert (await client.post("/ocr", files=scan())).status_code == 200
                assert await health(client) == "ready"


@pytest.mark.stand_in("it starts vLLM late")
async def test_vllm_that_starts_late(start_engine: StartEngine) -> None:
    port = free_port()
    absent = RunningVllm(*FAST, port=port)
    absent.url = f"http://127.0.0.1:{port}"
    async with start_engine(absent) as engine, serving(engine) as client:
        answer = await client.post("/ocr", files=scan())
        assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
        assert "starting" in answer.json()["detail"]
        assert await health(client) == "starting"
        with absent:
            assert (await client.post("/ocr", files=scan())).status_code == 200


@pytest.mark.stand_in("it makes vLLM fail")
@pytest.mark.parametrize(
    "fault", ["500", "404", "invalid json", "no choices", "html", "redirect", "break", "unhealthy"]
)
async def test_recovery_after_a_fault(vllm: RunningVllm, start_engine: StartEngine, fault: str) -> None:
    async with start_engine(vllm) as engine, serving(engine) as client:
        vllm.fault(fault)
        for _ in range(3):
            answer = await client.post("/ocr", files=scan())
            assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
        vllm.fault(None)
        assert (await client.post("/ocr", files=scan())).status_code == 200


@pytest.mark.stand_in("it makes vLLM fail")
async def test_vllm_that_never_answers_is_a_timeout(vllm: RunningVllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm, ocr_vlm_timeout=2) as engine, serving(engine) as client:
        vllm.fault("silence")
        answer = await client.post("/ocr", files=scan())
        assert (answer.status_code, answer.json()["code"]) == (504, "vlm_timeout")
        vllm.fault(None)
        # On a busy machine, a page can take longer than the limit.
        while (answer := await client.post("/ocr", files=scan())).status_code == 504:
            assert answer.json()["code"] == "vlm_timeout"
        assert answer.status_code == 200


@pytest.mark.stand_in("it makes vLLM fail")
async def test_vllm_whose_health_check_hangs_is_unavailable(
    vllm: RunningVllm, start_engine: StartEngine
) -> None:
    vllm.fault("hang")
    async with start_engine(vllm) as engine, serving(engine) as client:
        answer = await client.post("/ocr", files=scan())
        assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
        assert "no answer in time" in answer.json()["detail"]


@pytest.mark.stand_in("it makes vLLM fail")
async def test_hung_engine_ends_its_calls_and_readiness(vllm: RunningVllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm, ocr_vlm_hang_timeout=1) as engine, serving(engine) as client:
        assert (await client.post("/ocr", files=scan())).status_code == 200
        vllm.fault("hung engine")
        before = vllm.stats()["calls"]
        request = asyncio.create_task(client.post("/ocr", files=scan()))
        await until(vllm, lambda stats: stats["calls"] == before + BLOCKS)
        while not request.done():
            # The watch does this every 3 seconds.
            await engine._vlm.check()
            await asyncio.sleep(0)
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
        assert "it hangs: it had calls for 1 s, and has generated nothing" in answer.json()["detail"]
        ready = await client.get("/health/ready")
        assert ready.status_code == 503 and "it hangs" in ready.json()["reasons"][0]
        vllm.fault(None)
        assert (await client.post("/ocr", files=scan())).status_code == 200


@pytest.mark.stand_in("it makes vLLM fail")
async def test_other_pages_are_read_while_one_hangs(vllm: RunningVllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm) as engine, serving(engine) as client:
        vllm.fault("silence")
        before = vllm.stats()["failed"]
        hanging = asyncio.create_task(client.post("/ocr", files=scan()))
        await until(vllm, lambda stats: stats["failed"] == before + BLOCKS)
        vllm.fault(None)
        answers = await asyncio.gather(*(client.post("/ocr", files=scan(3, seed)) for seed in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert not hanging.done()
        hanging.cancel()


@pytest.mark.stand_in("it makes vLLM fail")
@pytest.mark.parametrize("fault", ["empty", "null"])
async def test_empty_completion_is_an_empty_text(
    vllm: RunningVllm, start_engine: StartEngine, fault: str
) -> None:
    vllm.fault(fault)
    async with start_engine(vllm) as engine, serving(engine) as client:
        answer = (await client.post("/ocr", files=scan())).json()
    [page] = answer["pages"]
    assert page["error"] is None and answer["text"] == ""
    assert [block["content"] for block in page["blocks"]] == [""] * BLOCKS


@pytest.mark.stand_in("it makes vLLM fail")
@pytest.mark.parametrize(
    ("fault", "code"), [("500", "vlm_unavailable"), ("400", "recognition_failed"), ("silence", "vlm_timeout")]
)
async def test_failed_blocks_do_not_fail_the_page(
    vllm: RunningVllm, start_engine: StartEngine, fault: str, code: str
) -> None:
    async with (
        start_engine(vllm, ocr_vlm_timeout=6, ocr_vlm_max_concurrency=1) as engine,
        serving(engine) as client,
    ):
        whole = (await client.post("/ocr", files=scan(4))).json()["pages"][0]
        vllm.fault(fault, after=3)
        answer = await client.post("/ocr", files=scan(4))
        assert answer.status_code == 200
        page = answer.json()["pages"][0]
        assert page["error"]["code"] == "partly_recognized"
        assert "1 of 4 blocks" in page["error"]["detail"]
        assert page["blocks"][:3] == whole["blocks"][:3]
        assert page["blocks"][3]["content"] == "" and page["blocks"][3]["error"]["code"] == code
        assert page["markdown"] == "\n\n".join(block["content"] for block in whole["blocks"][:3]) + "\n\n"
        vllm.fault(fault, after=3)
        stream = await client.post("/ocr", files=scan(4), headers={"Accept": "application/x-ndjson"})
        assert '"failed_pages":[1]' in stream.text


@pytest.mark.stand_in("it makes vLLM fail")
async def test_page_fails_if_every_block_fails(vllm: RunningVllm, start_engine: StartEngine) -> None:
    vllm.fault("400")
    async with start_engine(vllm) as engine, serving(engine) as client:
        answer = await client.post("/ocr", files=scan())
    assert (answer.status_code, answer.json()["code"]) == (500, "recognition_failed")


@pytest.mark.stand_in("it counts the calls")
async def test_page_without_blocks_is_read_without_vllm(vllm: RunningVllm, start_engine: StartEngine) -> None:
    before = vllm.stats()["calls"]
    async with start_engine(vllm) as engine, serving(engine) as client:
        answer = (await client.post("/ocr", files=scan(1) | {"file": ("blank.png", blank())})).json()
    assert answer["pages"][0]["blocks"] == [] and answer["pages"][0]["error"] is None
    assert vllm.stats()["calls"] == before


def blank() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (800, 1000), "white").save(file, "PNG")
    return file.getvalue()


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_client_disconnect_cancels_the_vlm_calls(start_engine: StartEngine) -> None:
    with RunningVllm(*STUCK) as vllm:
        async with start_engine(vllm) as engine, serving(engine) as client:
            request = asyncio.create_task(client.post("/ocr", files=scan()))
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
            request.cancel()
            await until(vllm, lambda stats: stats["aborted"] == BLOCKS and stats["in_flight"] == 0)


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_cancelled_job_cancels_the_vlm_calls(start_engine: StartEngine, tmp_path: Path) -> None:
    with RunningVllm(*STUCK) as vllm:
        async with start_engine(vllm) as engine, serving(engine, ocr_output_dir=tmp_path) as client:
            job = await submitted(client, scan()["file"][1])
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
            assert (await client.delete(f"/jobs/{job}")).json()["state"] == "cancelled"
            await until(vllm, lambda stats: stats["aborted"] == BLOCKS and stats["in_flight"] == 0)


async def test_few_blocks_of_a_job_are_at_vllm_beside_those_of_a_request(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    pages, beside = 3, 24
    with RunningVllm(*STUCK) as vllm:
        async with start_engine(vllm) as engine, serving(engine, ocr_output_dir=tmp_path) as client:
            request = asyncio.create_task(client.post("/ocr", files=scan()))
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
            await submitted(client, pdf_of_images([text_page(BLOCKS)] * pages))
            [server] = engine._vlm._servers
            while server.client.pending < BLOCKS + pages * BLOCKS:
                await asyncio.sleep(0.01)
            await until(vllm, lambda stats: stats["in_flight"] >= BLOCKS + beside)
            assert server.client.sent == BLOCKS + beside
            request.cancel()
