"""Fixtures: the real pipeline with stand-in ONNX models, and a stand-in vLLM server in its own process."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from ocr_engine import PaddleOcrVlEngine
from tests.paddleocr_vl.official import STOCK_QUALITY
from tests.paddleocr_vl.peer import Both, both_apps
from tests.running import FAST, RunningVllm
from tests.samples import SERIF
from tests.settings import settings_of
from tests.stand_ins.models import make_model_cache

StartEngine = Callable[..., AbstractAsyncContextManager[PaddleOcrVlEngine]]


def engine_on(vllm: RunningVllm, **variables: Any) -> PaddleOcrVlEngine:
    """Build an engine on the stand-ins; `variables` are settings, as in `settings_of`."""
    on_stand_ins = {"ocr_layout_engine": "onnxruntime", "ocr_device": "cpu", "ocr_vlm_url": vllm.api}
    settings = settings_of(**{**on_stand_ins, **variables})
    return PaddleOcrVlEngine(settings.paddleocr_vl, settings.vlm)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write the models into the cache of paddlex in this process; return the environment that names it."""
    assert "paddlex" not in sys.modules, "paddlex was imported before its environment was set"
    environment = make_model_cache(tmp_path_factory.mktemp("paddlex"), masks=True)
    # Without a local font, paddlex downloads one when it first draws.
    os.environ.update(environment, PADDLE_PDX_LOCAL_FONT_FILE_PATH=SERIF)
    return environment


@pytest.fixture(scope="session")
def fast_vllm() -> Iterator[RunningVllm]:
    with RunningVllm(*FAST) as vllm:
        yield vllm


@pytest.fixture
def vllm(fast_vllm: RunningVllm) -> Iterator[RunningVllm]:
    """The stand-in server; its fault and its script are cleared after each test."""
    yield fast_vllm
    fast_vllm.fault(None)
    fast_vllm.script(None)


@pytest.fixture
def start_engine(models: dict[str, str]) -> StartEngine:
    """Start an engine for the length of a `with` block; keyword arguments override its settings."""

    @asynccontextmanager
    async def started(vllm: RunningVllm, **variables: Any) -> AsyncIterator[PaddleOcrVlEngine]:
        engine = engine_on(vllm, **variables)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()

    return started


@pytest.fixture(scope="session")
def both(models: dict[str, str]) -> Iterator[Both]:
    """PaddleX's app and ours, with their own vLLM, as their calls would disturb the counts of other tests."""
    with (
        RunningVllm(*FAST) as vllm,
        both_apps(vllm, engine_on(vllm, ocr_vlm_jpeg_quality=STOCK_QUALITY)) as both,
    ):
        yield both


@pytest.fixture(scope="session")
def both_with_all_models(both: Both) -> Iterator[Both]:
    loaded = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}
    settings = {f"ocr_{name}": value for name, value in loaded.items()}
    engine = engine_on(both.vllm, ocr_vlm_jpeg_quality=STOCK_QUALITY, **settings)
    with both_apps(both.vllm, engine, **loaded) as with_all:
        yield with_all
