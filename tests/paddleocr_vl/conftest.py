"""Fixtures: the real pipeline with stand-in ONNX models, and a vLLM server in its own process.

vLLM is the stand-in, or the real one with a tiny model if REAL_VLLM_VENV names an environment that has it.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import pytest

from ocr_engine import PaddleOcrVlEngine
from tests.paddleocr_vl.official import MODEL, STOCK_QUALITY
from tests.paddleocr_vl.peer import Both, both_apps
from tests.real_vllm.running import VENV, RunningRealVllm
from tests.running import FAST, RunningVllm, Vllm
from tests.samples import SERIF
from tests.settings import settings_of
from tests.stand_ins.models import make_model_cache

StartEngine = Callable[..., AbstractAsyncContextManager[PaddleOcrVlEngine]]


def engine_on(vllm: Vllm, **variables: Any) -> PaddleOcrVlEngine:
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests with the mark `stand_in` on the real vLLM."""
    for item in items:
        if VENV is not None and (mark := item.get_closest_marker("stand_in")):
            item.add_marker(pytest.mark.skip(f"needs the stand-in: {mark.args[0]}"))


@pytest.fixture(scope="session")
def real_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRealVllm]:
    with RunningRealVllm(tmp_path_factory.mktemp("vllm")) as vllm:
        yield vllm


@contextmanager
def fast(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    """Give the real server, one for all tests, or a stand-in of its own."""
    if VENV is not None:
        yield request.getfixturevalue("real_vllm")
        return
    with RunningVllm(*FAST) as vllm:
        yield vllm


@pytest.fixture(scope="session")
def shared_vllm(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    with fast(request) as vllm:
        yield vllm


@pytest.fixture
def vllm(shared_vllm: Vllm) -> Iterator[Vllm]:
    """The server; after each test, the stand-in has its model again, and no fault and no script."""
    yield shared_vllm
    if isinstance(shared_vllm, RunningVllm):
        shared_vllm.fault(None)
        shared_vllm.script(None)
        shared_vllm.serve_as(MODEL)


@pytest.fixture
def start_engine(models: dict[str, str]) -> StartEngine:
    """Start an engine for the length of a `with` block; keyword arguments override its settings."""

    @asynccontextmanager
    async def started(vllm: Vllm, **variables: Any) -> AsyncIterator[PaddleOcrVlEngine]:
        engine = engine_on(vllm, **variables)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()

    return started


@pytest.fixture(scope="session")
def vllm_of_both(request: pytest.FixtureRequest) -> Iterator[Vllm]:
    """The server of both apps, whose calls would disturb the counts of other tests."""
    with fast(request) as vllm:
        yield vllm


@pytest.fixture(scope="session")
def both(models: dict[str, str], vllm_of_both: Vllm) -> Iterator[Both]:
    """PaddleX's app and ours."""
    engine = engine_on(vllm_of_both, ocr_vlm_jpeg_quality=STOCK_QUALITY)
    with both_apps(vllm_of_both, engine) as both:
        yield both


@pytest.fixture(scope="session")
def both_with_all_models(models: dict[str, str], vllm_of_both: Vllm) -> Iterator[Both]:
    loaded = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}
    settings = {f"ocr_{name}": value for name, value in loaded.items()}
    engine = engine_on(vllm_of_both, ocr_vlm_jpeg_quality=STOCK_QUALITY, **settings)
    with both_apps(vllm_of_both, engine, **loaded) as with_all:
        yield with_all
