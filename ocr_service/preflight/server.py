"""The vLLM servers that other processes run, named by OCR_VLM_URL."""

import json
from collections.abc import Iterator, Mapping
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ocr_service.preflight.findings import Finding, failed, passed

_CHECK = "vLLM server"
_SECONDS = 10
_MODEL = "PaddleOCR-VL"
_START = "start vLLM with --served-model-name PaddleOCR-VL-1.6-0.9B"


class _Unusable(Exception):
    """Why the service cannot use the server, and what to do."""

    def __init__(self, detail: str, action: str) -> None:
        super().__init__(detail, action)
        self.detail, self.action = detail, action


def check_servers(urls: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check each server; of several, also that all serve the same model.

    urls: separated by commas.
    """
    listed = [url.strip() for url in urls.split(",") if url.strip()]
    served = set()
    for number, url in enumerate(listed, start=1):
        check = _CHECK if len(listed) == 1 else f"{_CHECK} {number}"
        try:
            name, length = _served_model(url, environment)
        except _Unusable as reason:
            yield failed(check, f"{url.rpartition('@')[2]} {reason.detail}", reason.action)
            continue
        served.add(name)
        tokens = length or "unknown"
        yield passed(check, f"{url.rpartition('@')[2]} serves {name}, with {tokens} tokens a block")
    if len(served) > 1:
        yield failed(f"{_CHECK}s", f"they serve {', '.join(sorted(served))}", f"{_START}, all of them")


def _served_model(url: str, environment: Mapping[str, str]) -> tuple[str, object]:
    """Return the name of the model and its tokens, from the list of models; raises _Unusable."""
    request = Request(f"{url.rstrip('/')}/models")
    if key := environment.get("OCR_VLM_API_KEY", "").strip():
        request.add_header("Authorization", f"Bearer {key}")
    try:
        # Without the proxy of the environment, which is for outside addresses.
        with build_opener(ProxyHandler({})).open(request, timeout=_SECONDS) as answer:
            models = {str(model["id"]): model.get("max_model_len") for model in json.load(answer)["data"]}
    except HTTPError as error:
        is_key = error.code in (401, 403)
        action = "OCR_VLM_API_KEY must be its key" if is_key else "check OCR_VLM_URL; it ends with /v1"
        raise _Unusable(f"answers {error.code}", action) from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise _Unusable(f"fails: {reason}", "start it, check OCR_VLM_URL and the network between") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _Unusable("is not an OpenAI-compatible server", "check OCR_VLM_URL") from None
    name = next((name for name in models if _MODEL in name), None)
    if name is None:
        raise _Unusable(f"serves no {_MODEL}", _START)
    return name, models[name]
