"""Imports PaddleOCR and builds its pipeline, with our parts in place; takes seconds."""

import gc
import importlib
import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ocr_service.core.errors import EngineUnavailable
from ocr_service.engines.paddleocr_vl.crops import (
    bgr_converter,
    crop_encoder,
    drawing_encoder,
    picture_encoder,
)
from ocr_service.engines.paddleocr_vl.drawings import draw_masks_one_by_one
from ocr_service.engines.paddleocr_vl.model_thread import ModelThread
from ocr_service.engines.paddleocr_vl.page_calls import Crop
from ocr_service.engines.paddleocr_vl.seams import install
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings

# Loading a library holds the interpreter's lock, also while the disk is waited for; these are large.
_READ_AHEAD = ("paddle", "onnxruntime", "cv2")
_RUNTIMES = ("onnxruntime", "paddlepaddle", "paddlepaddle-gpu")
_READ_AT_A_TIME = 16 * 2**20

_FONT = "PADDLE_PDX_LOCAL_FONT_FILE_PATH"

# Without network, and not asked for: every call names the model that vLLM says it serves.
_ANY_MODEL_NAME = "unused"


@dataclass(frozen=True, slots=True)
class BuiltPipeline:
    """What a page needs once PaddleOCR is there.

    official: a `paddleocr.PaddleOCRVL`, with our parts in it. version: PaddleOCR's.
    to_bgr: Pillow image → pixels. encode_…: pixels, or a Pillow image, → a file.
    """

    official: Any
    version: str
    to_bgr: Callable[[Any], Any]
    encode_crop: Callable[[Any], Crop]
    encode_picture: Callable[[Any], Crop]
    encode_drawing: Callable[[Any], Crop]


def build(settings: PaddleOcrVlSettings, vlm: VlmSettings, models: ModelThread) -> BuiltPipeline:
    """Build it all; raises EngineUnavailable. To be called on the thread on which the models will run."""
    # ONNX Runtime would otherwise send its makers what it does here.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for package in _READ_AHEAD:
        _read_ahead(package)
    _keep_from_fetching_a_font()
    try:
        paddleocr = importlib.import_module("paddleocr")
        _log_as_we_do("paddlex")
        official = paddleocr.PaddleOCRVL(
            pipeline_version=settings.pipeline_version,
            vl_rec_backend="vllm-server",
            vl_rec_server_url=vlm.api_url,
            vl_rec_api_model_name=_ANY_MODEL_NAME,
            engine=settings.layout_engine,
            device=settings.device,
            # None keeps these out: False would turn them off where a request asks for one alone.
            use_doc_orientation_classify=settings.use_doc_orientation_classify or None,
            use_doc_unwarping=settings.use_doc_unwarping or None,
        )
        # The official pipeline wraps the one that has the parts, and offers no other access.
        install(official.paddlex_pipeline._pipeline, models)  # noqa: SLF001
        draw_masks_one_by_one()
        # What was imported and built stays: the garbage collector need not look through it again and again.
        gc.collect()
        gc.freeze()
    except ImportError as error:
        raise EngineUnavailable(
            "PaddleOCR is not installed beside the service; `make run-gpu` installs it."
        ) from error
    except Exception as error:
        raise EngineUnavailable("PaddleOCR-VL could not be started; the log says why.") from error
    return BuiltPipeline(
        official,
        importlib.metadata.version("paddleocr"),
        bgr_converter(),
        crop_encoder(vlm.image_format, vlm.jpeg_quality),
        picture_encoder(),
        drawing_encoder(),
    )


@cache
def installed_versions() -> dict[str, str] | None:
    """Return the versions of what reads pages, without importing it; None where it is not installed."""
    versions = {name: _version(name) for name in ("paddleocr", "paddlex", *_RUNTIMES)}
    found = {name: version for name, version in versions.items() if version is not None}
    return found if {"paddleocr", "paddlex"} <= found.keys() else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read_ahead(package: str) -> None:
    """Have the system read a package's libraries, where it is installed, while other threads run."""
    spec = importlib.util.find_spec(package)
    buffer = bytearray(_READ_AT_A_TIME)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for library in Path(folder).rglob("*.so*"):
            with library.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def _keep_from_fetching_a_font() -> None:
    """Let paddlex letter its drawings in a font that OpenCV brings: it would fetch its own in a request."""
    spec = importlib.util.find_spec("cv2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (font := Path(folder, "qt/fonts/DejaVuSans.ttf")).is_file():
            os.environ[_FONT] = os.environ.get(_FONT) or str(font)


def _log_as_we_do(name: str) -> None:
    """Let a library's lines go the way of ours, rather than in colours of their own."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True
