"""Texts that vLLM cut off, and loops, over HTTP: the block keeps what it has, and the answer says so."""

import io
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from ocr_engine import PaddleOcrVlEngine
from ocr_service.core.documents import Page, PageResult, WarningCode
from ocr_service.core.options import Options
from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine
from tests.paddleocr_vl.repetition_corpus import GOOD_LINES, GOOD_ROWS, LOOPS
from tests.running import RunningVllm
from tests.stand_ins.pages import Box, draw_page
from tests.streams import events_of

pytestmark = [pytest.mark.anyio, pytest.mark.stand_in("it writes the texts of the model")]

TEXT, TABLE = "OCR:", "Table Recognition:"
# More than an invented text has.
LIMIT = {"max_new_tokens": 250}
EMPTY_ROW = "<ecel>" * 6 + "<nl>"
PAGE = draw_page(
    [Box("text", 4, 7, 59, 20), Box("table", 4, 23, 59, 40), Box("text", 4, 43, 59, 59)], seed=11
)
SMALL = draw_page([Box("text", 4, 7, 59, 59)], size=(800, 600))


@pytest.fixture
async def engine(vllm: RunningVllm, start_engine: StartEngine) -> AsyncIterator[PaddleOcrVlEngine]:
    async with start_engine(vllm) as engine:
        yield engine


def scan(page: Image.Image = PAGE) -> dict[str, tuple[str, bytes]]:
    file = io.BytesIO()
    page.save(file, "PNG")
    return {"file": ("scan.png", file.getvalue())}


async def page_of(client: httpx.AsyncClient, page: Image.Image = PAGE, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/ocr", files=scan(page), data=fields)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["pages"][0]
    return result


@pytest.mark.parametrize(
    ("script", "fields", "code", "content"),
    [
        ((GOOD_LINES * 4, "", TEXT), LIMIT, "truncated", GOOD_LINES.splitlines()[-1]),
        ((GOOD_LINES, "да ", TEXT), {}, "repetition", GOOD_LINES.splitlines()[-1]),
        ((GOOD_ROWS * 9, "", TABLE), LIMIT, "truncated", "Гайка"),
        ((GOOD_ROWS, EMPTY_ROW, TABLE), {}, "repetition", "0,35</td>"),
    ],
    ids=["cut text", "text with a loop", "cut table", "table with a loop"],
)
async def test_incomplete_block_keeps_its_text(
    vllm: RunningVllm,
    engine: PaddleOcrVlEngine,
    script: tuple[str, str, str],
    fields: dict[str, Any],
    code: str,
    content: str,
) -> None:
    async with serving(engine, ocr_cache_lifetime=600) as client:
        whole = await page_of(client, cache="false")
        vllm.script(*script)
        for _ in range(2):
            # The second answer would come from the cache, if the first were in it.
            calls = vllm.stats()["calls"]
            page = await page_of(client, **fields)
            assert vllm.stats()["calls"] == calls + 3
            incomplete = [1] if script[2] == TABLE else [0, 2]
            assert page["error"]["code"] == "partly_recognized"
            assert f"{len(incomplete)} of 3 blocks" in page["error"]["detail"]
            for number, block in enumerate(page["blocks"]):
                if number in incomplete:
                    assert block["error"]["code"] == code
                    assert content in block["content"] and "[" not in block["content"]
                else:
                    assert block == whole["blocks"][number]
            assert content in page["markdown"] and "[" not in page["markdown"] + page["text"]
        stream = await client.post(
            "/ocr", files=scan(), data=fields, headers={"Accept": "application/x-ndjson"}
        )
        events = events_of(stream.text)
        assert events[1]["page"]["blocks"] == page["blocks"] and events[-1]["failed_pages"] == [1]
        markdown = await client.post("/ocr", files=scan(), data={**fields, "format": "markdown"})
        assert content in markdown.text


async def test_layout_parsing_says_which_blocks_are_incomplete(
    vllm: RunningVllm, engine: PaddleOcrVlEngine
) -> None:
    vllm.script(GOOD_ROWS, EMPTY_ROW, TABLE)
    async with serving(engine) as client:
        body = {"file": b64encode(scan()["file"][1]).decode(), "fileType": 1, "visualize": False}
        answer = await client.post("/layout-parsing", json=body)
    [result] = answer.json()["result"]["layoutParsingResults"]
    pruned = result["prunedResult"]
    assert pruned["error"]["code"] == "partly_recognized"
    assert {number: error["code"] for number, error in pruned["errors"].items()} == {"1": "repetition"}
    assert "Шайба" in pruned["parsing_res_list"][1]["block_content"]
    assert "Шайба" in result["markdown"]["text"]


def codes(page: PageResult) -> list[str | None]:
    return [block.failure.code if block.failure else None for block in page.blocks]


async def test_page_has_a_warning_of_each_kind(vllm: RunningVllm, engine: PaddleOcrVlEngine) -> None:
    vllm.script(GOOD_LINES, "да ", TEXT)
    page = await engine.recognize(Page(1, PAGE, None), Options())
    assert [warning.code for warning in page.warnings] == [WarningCode.REPETITION]


@pytest.mark.parametrize("concatenated", [False, True])
async def test_restructured_pages_are_incomplete_as_well(
    vllm: RunningVllm, engine: PaddleOcrVlEngine, concatenated: bool
) -> None:
    options = Options(restructure_pages=True, concatenate_pages=concatenated)
    whole = await engine.recognize(Page(1, PAGE, None), options)
    vllm.script(GOOD_ROWS, EMPTY_ROW, TABLE)
    incomplete = await engine.recognize(Page(2, PAGE, None), options)
    pages = await engine.restructure([whole, incomplete], options)
    assert [warning.code for warning in pages[-1].warnings] == [WarningCode.REPETITION]
    [failed] = pages[-1].failed_blocks
    assert failed.label == "table" and failed.order == (5 if concatenated else 2)
    assert "Шайба" in failed.content


async def test_page_of_one_incomplete_block_is_not_an_error(
    vllm: RunningVllm, engine: PaddleOcrVlEngine
) -> None:
    vllm.script(GOOD_LINES, "да ")
    async with serving(engine) as client:
        page = await page_of(client, SMALL, use_layout_detection="false", prompt_label="ocr")
        assert page["blocks"][0]["error"]["code"] == "repetition"
        vllm.script("".join(f"слово<|LOC_{n}|>" for n in range(80)), "<|LOC_1|>")
        spotting = await page_of(client, SMALL, use_layout_detection="false", prompt_label="spotting")
    assert spotting["blocks"][0]["error"]["code"] == "repetition"
    assert "слово" in spotting["blocks"][0]["content"]


@pytest.mark.parametrize("loop", ["0,00\n", ". ", "0", "- "])
async def test_page_that_repeats_itself_is_returned_as_it_is(
    vllm: RunningVllm, engine: PaddleOcrVlEngine, loop: str
) -> None:
    """The official pipeline takes such texts for loops, and drops them without an error."""
    vllm.script(loop * 50, prompt=TEXT)
    async with serving(engine) as client:
        page = await page_of(client)
    assert page["error"] is None
    assert page["blocks"][0]["content"].strip() == (loop * 50).strip()


async def test_vllm_generates_few_tokens_of_a_loop(vllm: RunningVllm, start_engine: StartEngine) -> None:
    loop = LOOPS["a word"]
    vllm.script(loop.before, loop.turn(1), TEXT)
    tokens = []
    for detection in (True, False):
        before = vllm.stats()["tokens"]
        async with start_engine(vllm, ocr_vlm_repetition_detection=detection) as engine:
            page = await engine.recognize(Page(1, PAGE, None), Options())
        tokens.append(vllm.stats()["tokens"] - before)
        assert codes(page) == ["repetition", None, "repetition"]
        assert page.blocks[0].content == loop.kept
    assert tokens[0] < 2000 and tokens[1] > 2 * 4096


async def test_second_try_with_a_penalty(vllm: RunningVllm, start_engine: StartEngine) -> None:
    """The stand-in leaves a loop if there is a penalty."""
    vllm.script(GOOD_LINES, "да ", TEXT)
    vllm.record()
    async with start_engine(vllm, ocr_vlm_repetition_retry_penalty=1.1) as engine:
        page = await engine.recognize(Page(1, PAGE, None), Options())
    bodies = [json.loads(body) for body in vllm.recorded()]
    assert [body.get("repetition_penalty") for body in bodies].count(1.1) == 2 and len(bodies) == 5
    assert not page.failed_blocks and not page.warnings
    assert page.blocks[0].content == GOOD_LINES + "да "


async def test_second_try_that_fails_as_well(vllm: RunningVllm, start_engine: StartEngine) -> None:
    vllm.script("да " * 2000, prompt=TEXT)
    async with start_engine(vllm, ocr_vlm_repetition_retry_penalty=1.1) as engine:
        page = await engine.recognize(Page(1, PAGE, None), Options())
    assert codes(page) == ["repetition", None, "repetition"]
    assert page.blocks[0].content == "да "
