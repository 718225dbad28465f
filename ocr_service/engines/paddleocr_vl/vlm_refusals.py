"""Answers of vLLM with an error status: the error for the caller, and the reason for the log."""

import json
import re
from http import HTTPStatus
from typing import Any

from ocr_service.core.errors import OcrError, RecognitionFailed, VlmUnavailable

# Errors of this image alone; any other error status concerns all calls.
_BAD_IMAGE_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_HINTS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "; OCR_VLM_API_KEY must be its key",
    HTTPStatus.FORBIDDEN: "; OCR_VLM_API_KEY must be its key",
    HTTPStatus.NOT_FOUND: "; it does not serve this model under OCR_VLM_URL",
}
# Words of vLLM about one image that it answers with 500.
_BROKEN_IMAGE = re.compile(r"image file is truncated|exceeds limit of \d+ pixels")
# Words of vLLM if the picture, the prompt and the tokens to generate exceed its `--max-model-len`.
_TOO_LONG = re.compile(r"maximum context length|input length|longer than the maximum", re.IGNORECASE)
# Longer than any word of an error message: encoded pictures. An address differs in each message.
_DATA = re.compile(r"\S{60,}|0x[0-9A-Fa-f]+")
_QUOTED = re.compile(r"""(["'`]).*?\1""", re.S)
_MAX_REASON = 200


def status_error(status: int, body: bytes) -> OcrError:
    """Return the error for the caller. Its detail quotes nothing of the body."""
    message = _message(body)
    if status not in _BAD_IMAGE_STATUSES and not _BROKEN_IMAGE.search(message):
        return VlmUnavailable(f"The vLLM server answered {status}{key_hint(status)}.")
    if _TOO_LONG.search(message):
        return RecognitionFailed(
            f"The vLLM server refused the block ({status}): its image and max_new_tokens exceed the context."
        )
    return RecognitionFailed(f"The vLLM server refused the image of the block ({status}).")


def key_hint(status: int) -> str:
    """Return the setting that explains this status, or nothing."""
    return _HINTS.get(status, "")


def refusal_reason(body: bytes) -> str:
    """Return the message of an error for the log: shortened, without quotations and encoded pictures."""
    message = _QUOTED.sub("…", _DATA.sub("…", _message(body)))
    return " ".join(message.split())[:_MAX_REASON] or "no reason is given"


def _message(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
        error = answer.get("error", answer)
        message = error.get("message", "") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        return ""
    return message if isinstance(message, str) else ""
