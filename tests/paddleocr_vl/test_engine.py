"""The engine: start, shutdown, cancelled pages, and release of their memory."""

import asyncio
import gc
import json
import logging
import shutil
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocr_engine import PaddleOcrVlEngine
from ocr_service.core.documents import Page
from ocr_service.core.engine import EngineState
from ocr_service.core.errors import ModelNotLoaded, OcrError, OptionNotSupported, RequestError, VlmUnavailable
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings
from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine, engine_on
from tests.paddleocr_vl.test_faults import STUCK, scan, until
from tests.running import FAST, RunningVllm, Vllm
from tests.stand_ins.pages import text_page

pytestmark = pytest.mark.anyio

BLOCKS = 12


def page() -> Page:
    return Page(1, text_page(BLOCKS), None)


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("paddleocr-vl_")]


async def test_concurrent_first_requests_share_one_build(
    vllm: Vllm, models: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    engine = engine_on(vllm)
    assert (engine.state, engine.version) == (EngineState.NOT_INITIALIZED, None)
    starts = [asyncio.create_task(engine.start()) for _ in range(5)]
    while engine.state is EngineState.NOT_INITIALIZED:
        await asyncio.sleep(0)
    assert engine.state is EngineState.INITIALIZING
    await asyncio.gather(*starts)
    assert (engine.state, engine.version) == (EngineState.READY, "3.7.0")
    assert caplog.text.count("PaddleOCR-VL is ready after") == 1
    await engine.close()


async def test_preload_builds_in_the_background(vllm: Vllm, models: dict[str, str]) -> None:
    engine = engine_on(vllm)
    async with serving(engine, ocr_preload=True) as client:
        while (await client.get("/health")).json()["paddleocr"] != "ready":
            assert engine.state is not EngineState.UNAVAILABLE


async def test_failed_build_is_logged_and_retried(
    vllm: Vllm, models: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    # Paddle is not installed for the tests. A model in its format is not downloaded if it has a folder.
    folder = Path(models["PADDLE_PDX_CACHE_HOME"], "official_models", "PP-DocLayoutV3")
    shutil.copytree(folder.with_name("PP-DocLayoutV3_onnx"), folder)
    engine = engine_on(vllm, ocr_layout_engine="paddle")
    try:
        async with serving(engine) as client:
            first = await client.post("/ocr", files=scan(1))
            health = (await client.get("/health")).json()
            second = await client.post("/ocr", files=scan(1))
    finally:
        shutil.rmtree(folder)
    assert (first.status_code, first.json()["code"]) == (503, "engine_unavailable")
    assert 0 < int(second.headers["retry-after"]) <= 10
    assert health["paddleocr"] == "unavailable"
    assert caplog.text.count("Failed to initialize PaddleOCR-VL: ") == 1
    assert "addle" in caplog.text.partition("Failed to initialize PaddleOCR-VL: ")[2]


def recorded_pixels(engine: PaddleOcrVlEngine) -> list["weakref.ref[Any]"]:
    """Record weak references to the pixel arrays that the engine makes of pages."""
    assert engine._pipeline is not None
    to_bgr, seen = engine._pipeline.to_bgr, list["weakref.ref[Any]"]()

    def noted(image: Image.Image) -> Any:
        pixels = to_bgr(image)
        seen.append(weakref.ref(pixels))
        return pixels

    engine._pipeline = replace(engine._pipeline, to_bgr=noted)
    return seen


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_cancelled_page_is_released(start_engine: StartEngine) -> None:
    with RunningVllm(*STUCK) as vllm:
        async with start_engine(vllm) as engine:
            abandoned, pixels = page(), recorded_pixels(engine)
            image = weakref.ref(abandoned.image)
            reading = asyncio.create_task(engine.recognize(abandoned, Options()))
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
            del abandoned
            reading.cancel()
            await until(vllm, lambda stats: stats["aborted"] == BLOCKS)
            await asyncio.gather(reading, return_exceptions=True)
            del reading
            await wait_until_released(image, *pixels)
            assert len(pixels) == 1


async def wait_until_released(*held: "weakref.ref[Any]") -> None:
    """Wait until all are garbage-collected: a thread may still hold them when the call returns."""
    while any(each() is not None for each in held):
        gc.collect()
        await asyncio.sleep(0.01)


async def test_read_page_is_released(vllm: Vllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm) as engine:
        read, pixels = page(), recorded_pixels(engine)
        image = weakref.ref(read.image)
        result = await engine.recognize(read, Options())
        del read
        await wait_until_released(image, *pixels)
    assert len(result.blocks) == BLOCKS


@pytest.mark.stand_in("it makes vLLM fail")
@pytest.mark.parametrize("fault", ["500", "400"])
async def test_failed_page_is_released(vllm: RunningVllm, start_engine: StartEngine, fault: str) -> None:
    async with start_engine(vllm) as engine:
        vllm.fault(fault)
        pixels = recorded_pixels(engine)
        with pytest.raises(OcrError):
            await engine.recognize(page(), Options())
        await wait_until_released(*pixels)


async def test_cancelled_pages_do_not_reach_the_layout_model(vllm: Vllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm) as engine:
        assert engine._models is not None
        busy, free = threading.Event(), threading.Event()

        def hold() -> bool:
            busy.set()
            return free.wait(240)

        held = engine._models.call(hold)
        assert await asyncio.to_thread(busy.wait, 240)
        waiting = [asyncio.create_task(engine.recognize(page(), Options())) for _ in range(3)]
        while engine._models._jobs.qsize() < len(waiting):
            await asyncio.sleep(0.01)
        jobs = [engine._models._jobs.get() for _ in waiting]
        for job in jobs:
            engine._models._jobs.put(job)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert all(job is not None and job.done.cancelled() for job in jobs)
        free.set()
        assert await asyncio.wrap_future(held)


@pytest.mark.stand_in("it renames the model")
async def test_new_model_name_is_used_after_a_vllm_restart(
    vllm: RunningVllm, start_engine: StartEngine
) -> None:
    async with start_engine(vllm) as engine:
        await engine.recognize(page(), Options())
        vllm.serve_as("PaddleOCR-VL-0.9B")
        with pytest.raises(VlmUnavailable, match="404"):
            await engine.recognize(page(), Options())
        while engine.vlm.model != "PaddleOCR-VL-0.9B":
            await asyncio.sleep(0.01)
        await engine.recognize(page(), Options())


def with_own(**options: Any) -> Options:
    return Options(engine=PaddleOcrVlOptions(**options))


async def test_words_are_refused() -> None:
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(OptionNotSupported, match="does not have words"):
        engine.check(Options(words=True))
    await engine.close()


async def test_contradictory_pixel_limits_are_refused() -> None:
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(RequestError, match="min_pixels is 2000000, more than max_pixels, which is 1003520"):
        engine.check(with_own(min_pixels=2_000_000))
    engine.check(with_own(min_pixels=2_000_000, max_pixels=3_000_000))
    await engine.close()


@pytest.mark.stand_in("it needs a slow vLLM")
async def test_closing_the_engine_cancels_its_pages(start_engine: StartEngine) -> None:
    of_other_engines = set(reader_threads())
    with RunningVllm(*STUCK) as vllm:
        async with start_engine(vllm) as engine:
            reading = asyncio.create_task(engine.recognize(page(), Options()))
            await until(vllm, lambda stats: stats["in_flight"] == BLOCKS)
        with pytest.raises(asyncio.CancelledError):
            await reading
        await until(vllm, lambda stats: stats["in_flight"] == 0)
    for thread in set(reader_threads()) - of_other_engines:
        await asyncio.to_thread(thread.join)


@pytest.mark.parametrize("name", ["use_doc_orientation_classify", "use_doc_unwarping"])
async def test_error_names_the_setting_when_the_model_of_an_option_is_not_loaded(name: str) -> None:
    options: Any = {name: True}
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(ModelNotLoaded, match=f"OCR_{name.upper()}=true"):
        engine.check(with_own(**options))
    engine.check(with_own(**{**options, name: False}))
    await engine.close()
    loaded = PaddleOcrVlEngine(PaddleOcrVlSettings(**options), VlmSettings())
    loaded.check(with_own(**options))
    await loaded.close()


async def test_unknown_pixel_limit_is_refused() -> None:
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(RequestError, match="no 'tabel_max_pixels'; there are chart_max"):
        engine.check(with_own(vlm_extra_args={"tabel_max_pixels": 1}))
    await engine.close()


async def test_log_lines_of_paddle_go_through_our_logging(
    vllm: Vllm, start_engine: StartEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_engine(vllm):
        assert logging.getLogger("paddlex").handlers == []


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"max_pixels": 39_199, "min_pixels": 1}, "max_pixels is 39199, less than 39200"),
        ({"vlm_extra_args": {"table_max_pixels": 5}}, "table_max_pixels is 5, less than 39200"),
    ],
)
def test_too_low_pixel_limit_is_refused(own: dict[str, Any], message: str) -> None:
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(RequestError, match=message):
        engine.check(with_own(**own))


@pytest.mark.stand_in("it needs a short context")
async def test_max_new_tokens_fits_the_context_of_vllm(start_engine: StartEngine) -> None:
    with RunningVllm(*FAST, "--max-model-len", "2000") as vllm:
        async with start_engine(vllm) as engine, serving(engine) as client:
            vllm.record()
            assert (await client.post("/ocr", files=scan(1))).status_code == 200
            [body] = vllm.recorded()
            assert json.loads(body)["max_completion_tokens"] == 1872
            answer = await client.post("/ocr", files=scan(1), data={"max_new_tokens": "1873"})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
            assert "max_new_tokens is 1873, more than the 1872 of the vLLM server" in answer.json()["detail"]
