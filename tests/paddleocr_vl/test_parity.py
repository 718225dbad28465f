"""This engine with many pages in flight gives the same results as the official pipeline page by page."""

import asyncio
import io
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ocr_engine import PaddleOcrVlEngine
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.engines.paddleocr_vl.repetition import VLLM_DETECTION
from tests.http.serving import serving
from tests.paddleocr_vl import official
from tests.paddleocr_vl.conftest import StartEngine
from tests.real_vllm.running import VENV
from tests.running import RunningVllm, Vllm
from tests.stand_ins.pages import A4_AT_100_DPI, Box, draw_page, text_page
from tests.stand_ins.pages import VARIOUS_PAGES as PAGES

pytestmark = pytest.mark.anyio

CONCURRENT = 32


def assert_same(ours: PageResult, theirs: Any, **markdown: Any) -> None:
    assert ours.raw == theirs.json["res"]
    markdown_result = theirs._to_markdown(**markdown)
    assert ours.markdown == markdown_result["markdown_texts"]
    assert ours.images.keys() == markdown_result["markdown_images"].keys()
    for path, image in markdown_result["markdown_images"].items():
        pixels = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)
        assert ours.images[path] == cv2.imencode(".jpg", pixels)[1].tobytes(), path


async def read_together(
    engine: PaddleOcrVlEngine, images: list[Image.Image], options: Options
) -> list[PageResult]:
    """Read pages, CONCURRENT at a time, each as its own request."""
    places = asyncio.Semaphore(CONCURRENT)

    async def read(index: int, image: Image.Image) -> PageResult:
        async with places:
            return await engine.recognize(Page(index, image, None), options)

    return await asyncio.gather(*(read(index, image) for index, image in enumerate(images, start=1)))


@cache
def read_officially(vlm_url: str) -> dict[str, Any]:
    reference = official.pipeline(vlm_url)
    return {name: official.read(reference, image) for name, image in PAGES.items()}


async def test_every_page_under_32_callers(vllm: Vllm, start_engine: StartEngine) -> None:
    assert len(PAGES) > CONCURRENT
    expected = read_officially(vllm.api)
    async with start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY) as engine:
        results = await read_together(engine, list(PAGES.values()), Options())
    for name, result in zip(PAGES, results, strict=True):
        assert_same(result, expected[name])
    assert any(result.images for result in results)
    # The random texts of the real vLLM have no cells.
    assert VENV is not None or any("<table" in result.markdown for result in results)
    assert {len(result.blocks) for result in results} >= {0, 1, 12, 80}


async def test_every_page_over_http(vllm: Vllm, start_engine: StartEngine) -> None:
    """The same number of requests in parallel, each with a file that is decoded separately."""
    expected = read_officially(vllm.api)
    async with (
        start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY) as engine,
        serving(engine) as client,
    ):
        places = asyncio.Semaphore(CONCURRENT)

        async def post(image: Image.Image) -> dict[str, Any]:
            file = io.BytesIO()
            image.save(file, "PNG", compress_level=1)
            async with places:
                answer = await client.post("/ocr", files={"file": file.getvalue()}, timeout=600)
            assert answer.status_code == 200, answer.text
            page: dict[str, Any] = answer.json()["pages"][0]
            return page

        pages = await asyncio.gather(*(post(image) for image in PAGES.values()))
    for name, page in zip(PAGES, pages, strict=True):
        theirs = expected[name]
        assert page["markdown"] == theirs.markdown["markdown_texts"], name
        assert [(block["label"], block["bbox"], block["content"]) for block in page["blocks"]] == [
            (block["block_label"], block["block_bbox"], block["block_content"])
            for block in theirs.json["res"]["parsing_res_list"]
        ]
        assert page["images"].keys() == theirs.markdown["markdown_images"].keys()


@pytest.mark.parametrize("version", ["v1", "v1.5"])
async def test_other_releases(vllm: Vllm, start_engine: StartEngine, version: str) -> None:
    images = [PAGES["with table"], PAGES["with display_formula"], PAGES["12 blocks 0"], PAGES["empty"]]
    reference = official.pipeline(vllm.api, version)
    settings = {"ocr_pipeline_version": version, "ocr_vlm_jpeg_quality": official.STOCK_QUALITY}
    async with start_engine(vllm, **settings) as engine:
        results = await read_together(engine, images, Options())
    for result, image in zip(results, images, strict=True):
        assert_same(result, official.read(reference, image))


# Each option, with a page on which it changes the result.
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("with chart", {"use_chart_recognition": True}),
    ("with seal", {"use_seal_recognition": True}),
    ("with image", {"use_ocr_for_image_block": True}),
    ("12 blocks 0", {"use_layout_detection": False}),
    ("with table", {"use_layout_detection": False, "prompt_label": "table"}),
    ("with display_formula", {"use_layout_detection": False, "prompt_label": "formula"}),
    ("with chart", {"use_layout_detection": False, "prompt_label": "chart"}),
    ("with seal", {"use_layout_detection": False, "prompt_label": "seal"}),
    ("one block 0", {"use_layout_detection": False, "prompt_label": "spotting"}),
    ("12 blocks 0", {"layout_threshold": 0.95}),
    ("with table", {"layout_threshold": {21: 0.95, 22: 0.3, 6: 0.3}}),
    ("with text", {"layout_nms": False}),
    ("with text", {"layout_unclip_ratio": 1.1}),
    ("with text", {"layout_unclip_ratio": (1.0, 1.2)}),
    ("with text", {"layout_unclip_ratio": {22: (1.1, 1.2)}}),
    ("picture in a table", {"layout_merge_bboxes_mode": "large"}),
    ("picture in a table", {"layout_merge_bboxes_mode": {21: "large"}}),
    ("with text", {"layout_shape_mode": "rect"}),
    ("with text", {"layout_shape_mode": "quad"}),
    ("two columns", {"merge_layout_blocks": False}),
    ("with table", {"format_block_content": True}),
    ("with header", {"markdown_ignore_labels": ("text",)}),
    ("with header_image", {"markdown_ignore_labels": ()}),
    ("with text", {"repetition_penalty": 1.2}),
    # With this top_p, a real model takes the most probable token too.
    ("with text", {"temperature": 0.4, "top_p": 0.01}),
    ("with text", {"min_pixels": 1000, "max_pixels": 90000}),
    ("with text", {"max_new_tokens": 77}),
    ("with table", {"vlm_extra_args": {"table_max_pixels": 50000, "ocr_min_pixels": 2000}}),
]


@pytest.mark.parametrize(("page", "options"), OPTIONS, ids=[f"{page}: {given}" for page, given in OPTIONS])
async def test_every_option(
    vllm: Vllm, start_engine: StartEngine, page: str, options: dict[str, Any]
) -> None:
    """The requests to the VLM, which only the stand-in records, are equal down to the bytes of each crop."""
    reference = official.pipeline(vllm.api)
    image = PAGES[page]
    record(vllm)
    theirs = official.read(reference, image, **as_lists(options))
    their_calls = recorded(vllm)
    async with start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY) as engine:
        record(vllm)
        ours = await engine.recognize(Page(1, image, None), Options(engine=PaddleOcrVlOptions(**options)))
    our_calls = recorded(vllm)
    assert all(call.pop("repetition_detection") == VLLM_DETECTION for call in our_calls)
    assert calls(our_calls) == calls(their_calls)
    assert_same(ours, theirs)


def as_lists(options: dict[str, Any]) -> dict[str, Any]:
    """Convert the options to the types that the official pipeline accepts."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}


def record(vllm: Vllm) -> None:
    if isinstance(vllm, RunningVllm):
        vllm.record()


def recorded(vllm: Vllm) -> list[dict[str, Any]]:
    """Return the bodies of the requests to the stand-in."""
    return list(map(json.loads, vllm.recorded())) if isinstance(vllm, RunningVllm) else []


def calls(bodies: Iterable[dict[str, Any]]) -> list[str]:
    """Sort the calls, as they are sent in parallel."""
    return sorted(json.dumps(body, sort_keys=True) for body in bodies)


@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("with table", {"prettify_markdown": False}),
        ("with image", {"prettify_markdown": False}),
        ("with display_formula", {"show_formula_number": True}),
    ],
    ids=str,
)
async def test_markdown_options(
    vllm: Vllm, start_engine: StartEngine, page: str, options: dict[str, Any]
) -> None:
    image = PAGES[page]
    theirs = official.read(official.pipeline(vllm.api), image)
    async with start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY) as engine:
        ours = await engine.recognize(Page(1, image, None), Options(engine=PaddleOcrVlOptions(**options)))
        plain = await engine.recognize(Page(1, image, None), Options())
    assert_same(
        ours,
        theirs,
        pretty=options.get("prettify_markdown", True),
        show_formula_number=options.get("show_formula_number", False),
    )
    assert ours.markdown != plain.markdown


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
async def test_pages_are_rotated_and_unwarped(vllm: Vllm, start_engine: StartEngine, angle: int) -> None:
    image = draw_page([Box("text", 4, 10, 59, 30), Box("table", 4, 33, 59, 50)], seed=7, marked=True)
    image = image.rotate(-angle, expand=True)
    loaded = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}
    reference = official.pipeline(vllm.api, **loaded)
    settings = {f"ocr_{name}": value for name, value in loaded.items()}
    async with start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY, **settings) as engine:
        by_default, without = await read_together(engine, [image] * 2, Options()), None
        without = await engine.recognize(
            Page(1, image, None),
            Options(engine=PaddleOcrVlOptions(use_doc_orientation_classify=False, use_doc_unwarping=False)),
        )
    for ours in by_default:
        assert_same(ours, official.read(reference, image))
        assert [block.label for block in ours.blocks] == ["text", "table"]
        assert (ours.width, ours.height) == A4_AT_100_DPI
        assert ours.raw is not None and ours.raw["doc_preprocessor_res"]["angle"] == angle
    assert_same(
        without,
        official.read(reference, image, use_doc_orientation_classify=False, use_doc_unwarping=False),
    )


@pytest.mark.stand_in("it records the requests")
async def test_png_reaches_the_vlm_without_loss(vllm: RunningVllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm, ocr_vlm_image_format="png") as engine:
        vllm.record()
        await engine.recognize(Page(1, text_page(1, seed=5), None), Options())
    [body] = vllm.recorded()
    assert '"data:image/png;base64,iVBOR' in body


@pytest.mark.parametrize(
    "options",
    [{}, {"merge_tables": False}, {"relevel_titles": False}, {"format_block_content": True}],
    ids=lambda given: str(given),
)
async def test_restructured_pages_equal_those_of_the_official_pipeline(
    vllm: Vllm, start_engine: StartEngine, options: dict[str, Any]
) -> None:
    images = [
        draw_page([Box("doc_title", 10, 7, 50, 10), Box("table", 5, 30, 58, 61)], seed=1),
        draw_page([Box("table", 5, 7, 58, 20), Box("paragraph_title", 5, 25, 40, 27)], seed=2),
        draw_page([Box("paragraph_title", 5, 8, 40, 9), Box("image", 5, 12, 30, 30)], seed=3),
    ]
    reference = official.pipeline(vllm.api)
    read_with = {name: value for name, value in options.items() if name == "format_block_content"}
    joined_with = {name: value for name, value in options.items() if name != "format_block_content"}
    theirs = reference.restructure_pages(
        [official.read(reference, image, **read_with) for image in images], **joined_with
    )
    with_restructuring = Options(restructure_pages=True, engine=PaddleOcrVlOptions(**options))
    async with start_engine(vllm, ocr_vlm_jpeg_quality=official.STOCK_QUALITY) as engine:
        pages = await read_together(engine, images, with_restructuring)
        ours = await engine.restructure(pages, with_restructuring)
    for our_page, their_page in zip(ours, theirs, strict=True):
        assert our_page.raw == their_page.json["res"]
        assert our_page.markdown == their_page._to_markdown()["markdown_texts"]
    assert ours[2].images
    assert options or ours[1].markdown != pages[1].markdown
