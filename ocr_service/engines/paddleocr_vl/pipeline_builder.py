"""Imports PaddleOCR and builds its pipeline with our parts in it; takes seconds."""

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
from ocr_service.engines.paddleocr_vl.block_texts import keep_repeated_lines
from ocr_service.engines.paddleocr_vl.crops import (
    bgr_converter,
    crop_encoder,
    drawing_encoder,
    picture_encoder,
)
from ocr_service.engines.paddleocr_vl.drawings import draw_masks_one_by_one
from ocr_service.engines.paddleocr_vl.model_thread import ModelThread
from ocr_service.engines.paddleocr_vl.page_calls import Crop
from ocr_service.engines.paddleocr_vl.pipeline_parts import install
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings

# Large libraries: an import holds the interpreter lock while it waits for the disk.
_READ_AHEAD = ("paddle", "onnxruntime", "cv2")
_RUNTIMES = ("onnxruntime", "paddlepaddle", "paddlepaddle-gpu")
_READ_AHEAD_CHUNK = 16 * 2**20

_FONT = "PADDLE_PDX_LOCAL_FONT_FILE_PATH"

# Any name will do, and prevents a network call: each call names the model from the list of vLLM.
_ANY_MODEL_NAME = "unused"


@dataclass(frozen=True, slots=True)
class BuiltPipeline:
    """The pipeline, and the functions that convert images for it.

    official: a `paddleocr.PaddleOCRVL`, with our parts in it. version: version of PaddleOCR.
    to_bgr: Pillow image → pixels. encode_…: pixels or a Pillow image → a file.
    """

    official: Any
    version: str
    to_bgr: Callable[[Any], Any]
    encode_crop: Callable[[Any], Crop]
    encode_picture: Callable[[Any], Crop]
    encode_drawing: Callable[[Any], Crop]


def build(settings: PaddleOcrVlSettings, vlm: VlmSettings, models: ModelThread) -> BuiltPipeline:
    """Build the pipeline; raises EngineUnavailable. Call it on the thread that will run the models."""
    # Otherwise ONNX Runtime sends telemetry.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for package in _READ_AHEAD:
        _read_ahead(package)
    _use_local_font()
    try:
        paddleocr = importlib.import_module("paddleocr")
        _use_root_log_handlers("paddlex")
        official = paddleocr.PaddleOCRVL(
            pipeline_version=settings.pipeline_version,
            vl_rec_backend="vllm-server",
            vl_rec_server_url=vlm.api_urls[0],
            vl_rec_api_model_name=_ANY_MODEL_NAME,
            engine=settings.layout_engine,
            device=settings.device,
            # None leaves these models out; False would also turn one off that a request enables.
            use_doc_orientation_classify=settings.use_doc_orientation_classify or None,
            use_doc_unwarping=settings.use_doc_unwarping or None,
        )
        # The public pipeline wraps the one with the models, and offers no other access to it.
        install(official.paddlex_pipeline._pipeline, models)  # noqa: SLF001
        draw_masks_one_by_one()
        keep_repeated_lines()
        # These objects live until the end: exclude them from garbage collection.
        gc.collect()
        gc.freeze()
    except ImportError as error:
        raise EngineUnavailable("PaddleOCR is not installed; `make run-gpu` installs it.") from error
    except Exception as error:
        raise EngineUnavailable("PaddleOCR-VL could not be started; the reason is in the log.") from error
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
    """Return the versions of PaddleOCR and its runtimes, without an import; None if it is not installed."""
    versions = {name: _version(name) for name in ("paddleocr", "paddlex", *_RUNTIMES)}
    found = {name: version for name, version in versions.items() if version is not None}
    return found if {"paddleocr", "paddlex"} <= found.keys() else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read_ahead(package: str) -> None:
    """Read the libraries of a package into the page cache, while other threads run."""
    spec = importlib.util.find_spec(package)
    buffer = bytearray(_READ_AHEAD_CHUNK)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for library in Path(folder).rglob("*.so*"):
            with library.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def _use_local_font() -> None:
    """Make paddlex draw with a font from OpenCV: otherwise it downloads one during a request."""
    spec = importlib.util.find_spec("cv2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (font := Path(folder, "qt/fonts/DejaVuSans.ttf")).is_file():
            os.environ[_FONT] = os.environ.get(_FONT) or str(font)


def _use_root_log_handlers(name: str) -> None:
    """Send the log lines of a library to the root logger, without its own handler and colours."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True
