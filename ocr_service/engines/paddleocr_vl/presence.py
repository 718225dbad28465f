"""Whether PaddleOCR-VL can be expected to work here; light, as every start asks it."""

import importlib.util
from pathlib import Path
from typing import Any

import httpx

DEFAULT_VLM_URL = "http://127.0.0.1:8080/v1"
MODEL_FAMILY = "PaddleOCR-VL"

_PROBE_SECONDS = 0.5


def found_here(vlm_url: str | None) -> str | None:
    """Name the GPU or the vLLM server that PaddleOCR-VL can use here; None if there is neither.

    vlm_url: the address of vLLM if one is set; else the usual one is tried, briefly.
    """
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return "a GPU is visible"
    if vlm_url is not None:
        return "OCR_VLM_URL is set"
    if _serves_our_model(DEFAULT_VLM_URL):
        return f"a vLLM server answers at {DEFAULT_VLM_URL}"
    return None


def lacking_here(vlm_url: str | None, layout_engine: str, vlm_not_started: str | None) -> list[str]:
    """Say in words what PaddleOCR-VL lacks here all the same; nothing if it can work.

    layout_engine: the package that runs its layout model. vlm_not_started: why no vLLM is started beside us.
    """
    needed = ("paddleocr", "paddlex", layout_engine)
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    lacking = [f"these packages are not installed: {', '.join(absent)}"] if absent else []
    if vlm_url is None and vlm_not_started and not _serves_our_model(DEFAULT_VLM_URL):
        lacking.append(f"vLLM is not started: {vlm_not_started}")
    return lacking


def served_model(listed: Any) -> str | None:
    """Return the name under which our model stands in the answer of `/v1/models`, or None.

    Raises LookupError or TypeError for an answer of another form.
    """
    names = [str(model["id"]) for model in listed["data"]]
    return next((name for name in names if MODEL_FAMILY in name), None)


def _serves_our_model(url: str) -> bool:
    try:
        # Not through a proxy that the environment names for the outside world.
        answer = httpx.get(f"{url}/models", timeout=_PROBE_SECONDS, trust_env=False)
        return served_model(answer.raise_for_status().json()) is not None
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False
