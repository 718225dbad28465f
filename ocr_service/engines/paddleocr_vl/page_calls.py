"""One page's calls to the VLM, between the thread that reads the page and the event loop that sends them."""

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
"""Those of the page that this thread reads: the pipeline is shared, and carries nothing to its seams."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A block's picture, as it goes to the VLM. media_type: such as image/jpeg."""

    data: bytes
    media_type: str


class Answer:
    """What the VLM says of one block; the pipeline reads it as `answer.get("result")`, which waits for it."""

    def __init__(self, calls: "PageCalls", call: "Future[str]") -> None:
        self._calls = calls
        self._call = call

    def __setitem__(self, key: str, value: object) -> None:
        """Take what the pipeline notes beside the text, which nobody reads."""

    def get(self, key: str, default: object = None) -> object:
        """Wait for the text; there is nothing else to ask for."""
        return self._calls.text_of(self._call) if key == "result" else default


class PageCalls:
    """Sends the blocks of one page, all at once, and keeps account of those that failed.

    encode: makes a crop of pixels, height x width x 3, blue first. model: the name that vLLM serves it under.
    cores: held by the page's thread while it computes; given up while it waits.
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
        """What failed, by the mark that stands for the text."""

    @property
    def all_failed(self) -> bool:
        """Whether the page asked for something and got nothing."""
        return bool(self._calls) and len(self.failures) == len(self._calls)

    def ask(self, pixels: Any, prompt: str, parameters: Mapping[str, Any]) -> Answer:
        """Send one block; raises CancelledError where the page has been given up."""
        self.check()
        try:
            body = _request(self._model, self._encode(pixels), prompt, parameters)
        except Exception as error:
            # A crop of no pixels, say: the block's own misfortune.
            call: Future[str] = Future()
            call.set_exception(RecognitionFailed(f"The block has no picture: {type(error).__name__}."))
            return self._keep(call)
        return self._keep(asyncio.run_coroutine_threadsafe(self._client.complete(body), self._loop))

    def text_of(self, call: "Future[str]") -> str:
        """Wait for an answer; one that failed is a mark, which is found again in the finished block."""
        failure: OcrError
        try:
            return self.wait_for(call)
        except CancelledError:
            raise
        except OcrError as error:
            failure = bare(error)
        except Exception as error:
            log.warning("a call to vLLM failed: %s", type(error).__name__)
            failure = RecognitionFailed("The block's call to the vLLM server failed.")
        mark = f"[{secrets.token_hex(8)}]"
        self.failures[mark] = failure
        return mark

    def wait_for(self, future: "Future[T]") -> T:
        """Wait without keeping a core from another page; what is waited for ends with the page."""
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
        """Raise CancelledError where the page has been given up."""
        if self._cancelled:
            raise CancelledError

    def cancel(self) -> None:
        """Give the page up: calls on their way are cancelled, its thread ends at the next step."""
        with self._lock:
            self._cancelled = True
            for call in (*self._calls, self._awaited):
                if call is not None:
                    call.cancel()

    def _keep(self, call: "Future[str]") -> Answer:
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
