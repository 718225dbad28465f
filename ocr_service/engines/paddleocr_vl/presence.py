"""Checks whether PaddleOCR-VL can work on this machine; light, because every start runs them."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

DEFAULT_VLM_URL = "http://127.0.0.1:8080/v1"
MODEL_FAMILY = "PaddleOCR-VL"

_PROBE_SECONDS = 0.5
# The reason of start.sh if the operator runs vLLM separately: it may start later than the service.
_RUN_SEPARATELY = "VLLM_ENABLED=false"


def detect_backend(vlm_url: str | None) -> str | None:
    """Describe the GPU or the vLLM server that PaddleOCR-VL can use; None if there is neither.

    vlm_url: address of vLLM if it is set; if not, the default address is probed.
    """
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return "a GPU is visible"
    if vlm_url is not None:
        return "OCR_VLM_URL is set"
    if _serves_model(DEFAULT_VLM_URL):
        return f"a vLLM server answers at {DEFAULT_VLM_URL}"
    return None


def missing_parts(vlm_url: str | None, layout_engine: str, vlm_not_started: str | None) -> list[str]:
    """Describe the parts that PaddleOCR-VL needs and does not have; empty if it can work.

    layout_engine: package that runs the layout model.
    vlm_not_started: reason why start.sh does not start vLLM, or None.
    """
    needed = ("paddleocr", "paddlex", layout_engine)
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    missing = [f"these packages are not installed: {', '.join(absent)}"] if absent else []
    vllm_is_expected = vlm_url is not None or vlm_not_started in (None, _RUN_SEPARATELY)
    if not vllm_is_expected and not _serves_model(DEFAULT_VLM_URL):
        missing.append(f"vLLM is not started: {vlm_not_started}")
    return missing


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that vLLM serves. max_length: tokens of a block, image and text together; None if unknown."""

    name: str
    max_length: int | None = None


def served_model(listing: Any) -> ServedModel | None:
    """Return the PaddleOCR-VL model in an answer of `/v1/models`, or None.

    Raises LookupError, TypeError or AttributeError if the answer has another form.
    """
    for model in listing["data"]:
        if MODEL_FAMILY in (name := str(model["id"])):
            length = model.get("max_model_len")
            return ServedModel(name, length if isinstance(length, int) else None)
    return None


def _serves_model(url: str) -> bool:
    try:
        # Without the proxy of the environment, which is for outside addresses.
        answer = httpx.get(f"{url}/models", timeout=_PROBE_SECONDS, trust_env=False)
        return served_model(answer.raise_for_status().json()) is not None
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return False
