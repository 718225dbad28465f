"""The official pipeline, called as in its documentation: one page at a time."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from PIL import Image

MODEL = "PaddleOCR-VL-1.6-0.9B"

# JPEG quality of the stock client's crops.
STOCK_QUALITY = 75


@cache
def pipeline(vlm_url: str, version: str = "v1.6", **settings: Any) -> Any:
    """Build the pipeline once per combination of settings."""
    # Imported here because the import takes seconds and reads the environment that the fixture `models` sets.
    from paddleocr import PaddleOCRVL

    return PaddleOCRVL(
        pipeline_version=version,
        vl_rec_backend="vllm-server",
        vl_rec_server_url=vlm_url,
        vl_rec_api_model_name=MODEL,
        engine="onnxruntime",
        device="cpu",
        **settings,
    )


def read(official: Any, image: Image.Image, **options: Any) -> Any:
    """Read one page; the result is a `PaddleOCRVLResult`."""
    pixels = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
    [result] = official.predict(pixels, use_queues=False, **options)
    return result
