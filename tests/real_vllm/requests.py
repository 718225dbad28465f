"""Requests to vLLM, good and bad, and the status of each answer."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from tests.samples import bomb_png, encoded

MODEL = "PaddleOCR-VL-1.6-0.9B"


def picture(kind: str = "JPEG", size: tuple[int, int] = (400, 60)) -> bytes:
    """Return a noisy picture, as a scan is."""
    return encoded(Image.effect_noise(size, 80), kind)


def completion(data: bytes | None, media_type: str = "image/jpeg", **parameters: Any) -> bytes:
    """Return the body of a completion request, as the service sends it."""
    content: list[dict[str, Any]] = [{"type": "text", "text": "OCR:"}]
    if data is not None:
        url = f"data:{media_type};base64,{b64encode(data).decode()}"
        content.insert(0, {"type": "image_url", "image_url": {"url": url}})
    messages = [{"role": "user", "content": content}]
    usual = {"model": MODEL, "messages": messages, "temperature": 0, "max_completion_tokens": 20}
    return json.dumps({**usual, **parameters}).encode()


@dataclass(frozen=True)
class Request:
    """status: of the real answer. key: the right key, if True."""

    name: str
    status: int
    path: str = "/v1/chat/completions"
    body: bytes | None = field(default=None, repr=False)
    key: bool = True

    def send(self, url: str, key: str) -> httpx.Response:
        """Send it on a connection of its own."""
        headers = {"Authorization": f"Bearer {key if self.key else 'wrong'}"}
        if self.body is None:
            return httpx.get(url + self.path, headers=headers, timeout=120)
        headers["Content-Type"] = "application/json"
        return httpx.post(url + self.path, content=self.body, headers=headers, timeout=120)


REQUESTS = (
    Request("health", 200, "/health"),
    Request("health without the key", 200, "/health", key=False),
    Request("models", 200, "/v1/models"),
    Request("models with a wrong key", 401, "/v1/models", key=False),
    Request("block", 200, body=completion(picture())),
    Request("block as PNG", 200, body=completion(picture("PNG"), "image/png")),
    Request(
        "block with all options",
        200,
        body=completion(
            picture(),
            top_p=0.9,
            repetition_penalty=1.1,
            skip_special_tokens=True,
            mm_processor_kwargs={"min_pixels": 112_896, "max_pixels": 1_003_520},
        ),
    ),
    Request("text without a block", 200, body=completion(None, max_completion_tokens=1)),
    Request("block with a wrong key", 401, body=completion(picture()), key=False),
    Request("unknown model", 404, body=completion(picture(), model="another")),
    Request("more tokens than the context", 400, body=completion(picture(), max_completion_tokens=16_384)),
    Request("no tokens", 400, body=completion(picture(), max_completion_tokens=0)),
    Request("top_p of 0", 400, body=completion(picture(), top_p=0)),
    Request("negative temperature", 400, body=completion(picture(), temperature=-1)),
    Request("repetition_penalty of 0", 400, body=completion(picture(), repetition_penalty=0)),
    Request("no picture", 400, body=completion(b"nothing at all, and rather long")),
    Request("cut JPEG", 500, body=completion(picture(size=(1000, 800))[:20_000])),
    Request(
        "picture beyond the limit of Pillow",
        500,
        body=completion(bomb_png(14_000), "image/png"),
    ),
)
