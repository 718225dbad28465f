"""Pages of the service, read through the real vLLM; the text is random, as the weights are."""

import asyncio
import re
from base64 import b64encode
from collections.abc import Iterator

import pytest

from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine
from tests.paddleocr_vl.test_faults import scan
from tests.real_vllm.running import VENV, RunningRealVllm

pytestmark = [
    pytest.mark.skipif(VENV is None, reason="REAL_VLLM_VENV is not set; `make test-real-vllm` sets it"),
    pytest.mark.anyio,
]

WHOLE_PAGE = {"use_layout_detection": "false"}


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRealVllm]:
    """A model whose texts have control characters, and end only at their limit."""
    with RunningRealVllm(tmp_path_factory.mktemp("endless"), None, "--endless", "--controls") as vllm:
        yield vllm


def running(vllm: RunningRealVllm) -> float:
    metrics = vllm.get("/metrics").text
    figures = re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, figures))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": "0.5", "top_p": "0.9"},
        {"repetition_penalty": "1.2"},
        {"min_pixels": "1000", "max_pixels": "39200"},
        {"vlm_extra_args": '{"ocr_max_pixels": 50000}'},
        *(WHOLE_PAGE | {"prompt_label": label} for label in ("ocr", "table", "formula", "chart", "seal")),
    ],
    ids=str,
)
async def test_every_option_is_accepted(
    endless: RunningRealVllm, start_engine: StartEngine, options: dict[str, str]
) -> None:
    async with start_engine(endless) as engine, serving(engine) as client:
        answer = await client.post(
            "/ocr", files=scan(3), data={"max_new_tokens": "8", **options}, timeout=300
        )
    [page] = answer.json()["pages"]
    print(options, answer.status_code, page["error"])
    assert answer.status_code == 200
    assert all(block["content"] for block in page["blocks"])


async def test_tokens_beyond_the_context_are_refused_before_vllm(
    endless: RunningRealVllm, start_engine: StartEngine
) -> None:
    async with start_engine(endless) as engine, serving(engine) as client:
        await client.post("/ocr", files=scan(1), data={"max_new_tokens": "1"}, timeout=300)
        answer = await client.post("/ocr", files=scan(1), data={"max_new_tokens": "16384"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_client_that_leaves_frees_the_sequences(
    endless: RunningRealVllm, start_engine: StartEngine
) -> None:
    async with start_engine(endless) as engine, serving(engine) as client:
        request = asyncio.create_task(client.post("/ocr", files=scan(3), timeout=300))
        while not await asyncio.to_thread(running, endless):
            assert not request.done()
        request.cancel()
        while await asyncio.to_thread(running, endless):
            await asyncio.sleep(0.1)


async def test_word_document_of_texts_with_control_characters(
    endless: RunningRealVllm, start_engine: StartEngine
) -> None:
    body = {"file": b64encode(scan(3)["file"][1]).decode(), "outputFormats": ["docx"], "maxNewTokens": 100}
    async with start_engine(endless) as engine, serving(engine) as client:
        answer = await client.post("/layout-parsing", json=body, timeout=300)
    [page] = answer.json()["result"]["layoutParsingResults"]
    texts = [block["block_content"] for block in page["prunedResult"]["parsing_res_list"]]
    assert re.search("[\x00-\x08]", "".join(texts))
    assert page["exports"]["docx"]["content"]
