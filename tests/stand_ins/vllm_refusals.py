"""Requests that vLLM refuses, and its answers, word for word where a program could read them.

They were taken from vLLM 0.19.1; `make test-real-vllm` compares the stand-in with the real one.
"""

import struct
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from aiohttp import web

_TYPES = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError"}
# The limit of Pillow.
_MAX_PIXELS = 178_956_970
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"

_SAMPLING: dict[str, tuple[Callable[[float], bool], str]] = {
    "top_p": (lambda value: 0 < value <= 1, "top_p must be in (0, 1], got {value}."),
    "temperature": (lambda value: value >= 0, "temperature must be non-negative, got {value}."),
    "repetition_penalty": (
        lambda value: value > 0,
        "repetition_penalty must be greater than zero, got {value}.",
    ),
    "max_completion_tokens": (lambda value: value >= 1, "max_tokens must be at least 1, got {value}."),
}
# The field that the error names; it names none for the others.
_PARAMS = {"top_p": "top_p", "temperature": "temperature", "max_completion_tokens": "max_tokens"}


def error(status: int, text: str, param: str | None = None) -> web.Response:
    """Return an error in the form of vLLM."""
    kind = _TYPES.get(status, "InternalServerError")
    content = {"message": text, "type": kind, "param": param, "code": status}
    return web.json_response({"error": content}, status=status)


def refusal(body: dict[str, Any], max_model_len: int) -> web.Response | None:
    """Return the answer to a completion request that vLLM refuses; None if it accepts the request."""
    parts = body["messages"][0]["content"]
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    for part in parts:
        if part["type"] == "image_url" and (wrong := _wrong_image(part["image_url"]["url"])):
            return wrong
    for name, (is_valid, message) in _SAMPLING.items():
        value = body.get(name)
        if value is not None and not is_valid(value):
            return error(400, message.format(value=float(value)), _PARAMS.get(name))
    return _too_long(len(text.encode()), body.get("max_completion_tokens") or 0, max_model_len)


def _too_long(prompt: int, tokens: int, max_model_len: int) -> web.Response | None:
    """The tokens of the image do not count here. A byte of the prompt counts as one token."""
    if prompt + tokens <= max_model_len:
        return None
    words = (
        f"This model's maximum context length is {max_model_len} tokens. However, you requested {tokens} "
        f"output tokens and your prompt contains at least {prompt} input tokens, for a total of at least "
        f"{prompt + tokens} tokens. Please reduce the length of the input prompt or the number of requested "
        "output tokens."
    )
    return error(400, words, "input_tokens")


def _wrong_image(url: str) -> web.Response | None:
    """Look at the first and the last bytes, so that a benchmark spends no time here."""
    data = url.partition("base64,")[2]
    head, tail = b64decode(data[:32]), b64decode(data[-8:])
    if head.startswith(_PNG):
        width, height = struct.unpack(">II", head[16:24])
        if width * height > _MAX_PIXELS:
            words = f"Image size ({width * height} pixels) exceeds limit of {_MAX_PIXELS} pixels, "
            return error(500, words + "could be decompression bomb DOS attack.")
    elif not head.startswith(_JPEG):
        return error(400, "cannot identify image file <_io.BytesIO object>")
    elif not tail.endswith(_JPEG_END):
        return error(500, "image file is truncated (15 bytes not processed)")
    return None
