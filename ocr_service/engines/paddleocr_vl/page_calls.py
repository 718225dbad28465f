"""Calls of one page to the VLM: the event loop sends them, and the thread of the page waits for them."""

import asyncio
import json
import logging
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from ocr_service.core.errors import OcrError, RecognitionFailed, bare
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient

log = logging.getLogger(__name__)

T = TypeVar("T")

current: ContextVar["PageCalls"] = ContextVar("current_page_calls")
"""Calls of the page that this thread reads: the shared pipeline cannot pass them to its parts."""


@dataclass(frozen=True, slots=True)
class Crop:
    """An encoded image. media_type: such as image/jpeg."""

    data: bytes
    media_type: str


class Answer:
    """The answer of the VLM for one block; the pipeline calls `answer.get("result")`, which waits for it."""

    def __init__(self, calls: "PageCalls", call: "Future[str]") -> None:
        self._calls = calls
        self._call = call

    def __setitem__(self, key: str, value: object) -> None:
        """Ignore the values that the pipeline adds, since nothing reads them."""

    def get(self, key: str, default: object = None) -> object:
        """Return the text, after a wait, for "result"; the default for other keys."""
        return self._calls.text_of(self._call) if key == "result" else default


class PageCalls:
    """Sends all blocks of one page at once, and records the failures.

    encode: pixels (height x width x 3, BGR) → a file. model: name of the model in vLLM.
    cores: acquired by the thread of the page while it computes, and released while it waits.
    """

    def __init__(
        self,
        client: VlmClient,
        loop: asyncio.AbstractEventLoop,
        encode: Callable[[Any], Crop],
        model: str,
        cores: threading.Semaphore,
    ) -> None:
        self._client = client
        self._loop = loop
        self._encode = encode
        self._model = model
        self._cores = cores
        self._lock = threading.Lock()
        self._cancelled = False
        self._calls: list[Future[str]] = []
        self._awaited: Future[Any] | None = None
        self.failures: dict[str, OcrError] = {}
        """Errors of blocks, by the placeholder in place of the text."""

    @property
    def all_failed(self) -> bool:
        """Whether there were calls, and all of them failed."""
        return bool(self._calls) and len(self.failures) == len(self._calls)

    def send(self, pixels: Any, prompt: str, parameters: Mapping[str, Any]) -> Answer:
        """Send one block; raises CancelledError if the page is cancelled."""
        self.check()
        try:
            body = _request(self._model, self._encode(pixels), prompt, parameters)
        except Exception as error:
            # An error of this block alone, such as a crop without pixels.
            call: Future[str] = Future()
            call.set_exception(
                RecognitionFailed(f"The image of the block cannot be encoded: {type(error).__name__}.")
            )
            return self._register(call)
        return self._register(asyncio.run_coroutine_threadsafe(self._client.complete(body), self._loop))

    def text_of(self, call: "Future[str]") -> str:
        """Wait for an answer; if it failed, return a placeholder that marks the block in the result."""
        failure: OcrError
        try:
            return self.wait_for(call)
        except CancelledError:
            raise
        except OcrError as error:
            failure = bare(error)
        except Exception as error:
            log.warning("a call to vLLM failed: %s", type(error).__name__)
            failure = RecognitionFailed("The call to the vLLM server failed.")
        placeholder = f"[{secrets.token_hex(8)}]"
        self.failures[placeholder] = failure
        return placeholder

    def wait_for(self, future: "Future[T]") -> T:
        """Wait with the core released to other pages; if the page is cancelled, so is the future."""
        if future.done():
            return future.result()
        with self._lock:
            self._awaited = future
            if self._cancelled:
                future.cancel()
        self._cores.release()
        try:
            return future.result()
        finally:
            self._awaited = None
            self._cores.acquire()

    def check(self) -> None:
        """Raise CancelledError if the page is cancelled."""
        if self._cancelled:
            raise CancelledError

    def cancel(self) -> None:
        """Cancel the page: its calls end at once, its thread at the next step."""
        with self._lock:
            self._cancelled = True
            for call in (*self._calls, self._awaited):
                if call is not None:
                    call.cancel()

    def _register(self, call: "Future[str]") -> Answer:
        with self._lock:
            self._calls.append(call)
            if self._cancelled:
                call.cancel()
        return Answer(self, call)


def _request(model: str, crop: Crop, prompt: str, parameters: Mapping[str, Any]) -> bytes:
    url = f"data:{crop.media_type};base64,{b64encode(crop.data).decode('ascii')}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": model, "messages": messages, **parameters}).encode()
