"""The parts that we replace in paddlex: these tests fail if a new release changes their interfaces."""

import importlib
import inspect
import tracemalloc
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocr_service.engines.paddleocr_vl.drawings import draw_masks_one_by_one
from ocr_service.engines.paddleocr_vl.model_thread import MAX_BATCH, ModelThread
from ocr_service.engines.paddleocr_vl.pipeline_parts import Inference, LayoutDetection, VlmPredictor, install
from tests.paddleocr_vl import official
from tests.running import Vllm


@pytest.fixture
def inner(vllm: Vllm, models: dict[str, str]) -> Any:
    return official.pipeline(vllm.api, use_doc_orientation_classify=True).paddlex_pipeline._pipeline


def test_installed_versions_are_the_checked_ones() -> None:
    """If a new release is installed, check the interfaces again, then change this list."""
    assert (version("paddleocr"), version("paddlex")) == ("3.7.0", "3.7.2")


def test_vlm_has_the_parameters_of_the_stock_client(inner: Any) -> None:
    stock = set(inspect.signature(inner.vl_rec_model.process).parameters)
    ours = set(inspect.signature(VlmPredictor.predict).parameters)
    # The pipeline passes use_cache, which the stock client accepts only through **kwargs.
    assert ours - {"self", "use_cache"} == stock - {"self", "kwargs"}


def test_stock_vlm_is_the_server_client(inner: Any) -> None:
    assert type(inner.vl_rec_model).__name__ == "DocVLMGenAIClientPredictor"
    assert inner.vl_rec_model.genai_client.backend == "vllm-server"


def test_layout_model_has_our_batch_size(inner: Any) -> None:
    assert inner.layout_det_model.batch_sampler.batch_size == MAX_BATCH


def test_our_parts_replace_the_stock_parts(inner: Any) -> None:
    class Pipeline:
        layout_det_model = inner.layout_det_model
        vl_rec_model = inner.vl_rec_model
        doc_preprocessor_pipeline = inner.doc_preprocessor_pipeline
        use_doc_preprocessor = inner.use_doc_preprocessor

    thread = ModelThread("models")
    pipeline: Any = Pipeline()
    install(pipeline, thread)
    thread.close()
    assert type(pipeline.layout_det_model) is LayoutDetection
    assert type(pipeline.doc_preprocessor_pipeline) is Inference
    assert type(pipeline.vl_rec_model) is VlmPredictor


def test_pipeline_with_other_parts_is_refused() -> None:
    class Other:
        """A pipeline whose parts have other names."""

    thread = ModelThread("models")
    with pytest.raises(AttributeError):
        install(Other(), thread)
    thread.close()


@pytest.mark.parametrize("polygons", [True, False])
def test_masks_drawn_one_at_a_time_equal_masks_drawn_together(models: dict[str, str], polygons: bool) -> None:
    """When masks are drawn one at a time, a page of many blocks needs no more memory than a page of few."""
    module: Any = importlib.import_module("paddlex.inference.models.layout_analysis.result")
    draw_masks_one_by_one()
    in_turn = module.restore_to_draw_masks
    boxes = [layout_box(number, polygons) for number in range(12)]
    drawn = module.LayoutAnalysisResult({"input_img": PIXELS, "boxes": boxes}).img["res"]
    module.restore_to_draw_masks = in_turn._masks_of
    try:
        together = module.LayoutAnalysisResult({"input_img": PIXELS, "boxes": boxes}).img["res"]
    finally:
        module.restore_to_draw_masks = in_turn
    assert drawn.tobytes() == together.tobytes() != Image.fromarray(PIXELS).tobytes()
    tracemalloc.start()
    many = [layout_box(number, polygons) for number in range(300)]
    assert module.LayoutAnalysisResult({"input_img": PIXELS, "boxes": many}).img
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * PIXELS.shape[0] * PIXELS.shape[1]


PIXELS = np.full((600, 500, 3), 200, np.uint8)


def layout_box(number: int, polygon: bool) -> dict[str, Any]:
    left, top = 20 + 30 * (number % 12), 20 + 40 * (number % 12)
    box = {
        "cls_id": number % 5,
        "label": "text",
        "score": 0.9,
        "coordinate": [left, top, left + 90, top + 70],
    }
    corners = [[left, top], [left + 90, top + 10], [left + 80, top + 70], [left, top + 60]]
    return {**box, "polygon_points": corners, "order": number} if polygon else box
