"""A vLLM server that another process runs, named by OCR_VLM_URL."""

import json
from collections.abc import Mapping
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ocr_service.preflight.findings import Finding, failed, passed

_CHECK = "vLLM server"
_SECONDS = 10
_MODEL = "PaddleOCR-VL"


def check_server(url: str, environment: Mapping[str, str]) -> Finding:
    """Request the list of models, with the key of the service."""
    shown = url.rpartition("@")[2]
    request = Request(f"{url.rstrip('/')}/models")
    if key := environment.get("OCR_VLM_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    try:
        # Without the proxy of the environment, which is for outside addresses.
        with build_opener(ProxyHandler({})).open(request, timeout=_SECONDS) as answer:
            models = {str(model["id"]): model.get("max_model_len") for model in json.load(answer)["data"]}
    except HTTPError as error:
        action = (
            "OCR_VLM_API_KEY must be its key"
            if error.code in (401, 403)
            else "check OCR_VLM_URL; it ends with /v1"
        )
        return failed(_CHECK, f"{shown} answers {error.code}", action)
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        return failed(_CHECK, f"{shown}: {reason}", "start it, check OCR_VLM_URL and the network between")
    except (ValueError, LookupError, TypeError, AttributeError):
        return failed(_CHECK, f"{shown} is not an OpenAI-compatible server", "check OCR_VLM_URL")
    name = next((name for name in models if _MODEL in name), None)
    if name is None:
        return failed(
            _CHECK, f"{shown} serves no {_MODEL}", "start vLLM with --served-model-name PaddleOCR-VL-1.6-0.9B"
        )
    return passed(_CHECK, f"{shown} serves {name}, with {models[name] or 'unknown'} tokens a block")
