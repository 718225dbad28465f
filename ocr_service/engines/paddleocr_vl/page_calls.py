"""Calls of one page to the VLM: the event loop sends them, and the thread of the page waits for them."""

import asyncio
import json
import logging
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ocr_service.core.errors import IncompleteText, OcrError, RecognitionFailed, Repetition, bare
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.engines.paddleocr_vl.block_texts import BlockText, new_mark
from ocr_service.engines.paddleocr_vl.repetition import VLLM_DETECTION
from ocr_service.engines.paddleocr_vl.vlm_client import Completion
from ocr_service.engines.paddleocr_vl.vlm_pool import VlmPool

log = logging.getLogger(__name__)

T = TypeVar("T")

current: ContextVar["PageCalls"] = ContextVar("current_page_calls")
"""Calls of the page that this thread reads: the shared pipeline cannot pass them to its parts."""


@dataclass(frozen=True, slots=True)
class Crop:
    """An encoded image. media_type: such as image/jpeg."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How blocks are sent.

    model: name of the model in vLLM. detect_repetition: whether vLLM ends a text that repeats itself.
    retry_penalty: repetition penalty of a second try for such a text; None for no second try.
    max_new_tokens: the most that vLLM generates for a block; None if unknown.
    caller: the sender of the page. Callers take turns.
    """

    model: str
    detect_repetition: bool = True
    retry_penalty: float | None = None
    max_new_tokens: int | None = None
    caller: Caller = UNKNOWN


@dataclass(frozen=True, slots=True)
class _Request:
    crop: Crop
    prompt: str
    parameters: Mapping[str, Any]

    def body(self) -> bytes:
        """Return a chat completion request, as JSON."""
        url = f"data:{self.crop.media_type};base64,{b64encode(self.crop.data).decode('ascii')}"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": self.prompt}]
        messages = [{"role": "user", "content": content}]
        return json.dumps({"messages": messages, **self.parameters}).encode()


class Answer:
    """The answer of the VLM for one block; the pipeline calls `answer.get("result")`, which waits for it."""

    def __init__(self, calls: "PageCalls", call: "Future[Completion]") -> None:
        self._calls = calls
        self._call = call

    def __setitem__(self, key: str, value: object) -> None:
        """Ignore the values that the pipeline adds, since nothing reads them."""

    def get(self, key: str, default: object = None) -> object:
        """Return the text, after a wait, for "result"; the default for other keys."""
        return self._calls.text_of(self._call) if key == "result" else default


class PageCalls:
    """Sends all blocks of one page at once, and records the failures.

    encode: pixels (height x width x 3, BGR) → a file.
    cores: acquired by the thread of the page while it computes, and released while it waits.
    """

    def __init__(
        self,
        vlm: VlmPool,
        loop: asyncio.AbstractEventLoop,
        encode: Callable[[Any], Crop],
        options: CallOptions,
        cores: threading.Semaphore,
    ) -> None:
        self._vlm = vlm
        self._loop = loop
        self._encode = encode
        self._options = options
        self._cores = cores
        self._lock = threading.Lock()
        self._cancelled = False
        self._calls: list[Future[Completion]] = []
        self._awaited: Future[Any] | None = None
        self.failures: dict[str, OcrError] = {}
        """Errors of blocks, by the mark in the text."""

    @property
    def all_failed(self) -> bool:
        """Whether there were calls, and none returned any text."""
        without_text = [error for error in self.failures.values() if not isinstance(error, IncompleteText)]
        return bool(self._calls) and len(without_text) == len(self._calls)

    def send(self, pixels: Any, prompt: str, parameters: Mapping[str, Any]) -> Answer:
        """Send one block; raises CancelledError if the page is cancelled."""
        self.check()
        try:
            request = _Request(self._encode(pixels), prompt, self._with_options(parameters))
        except Exception as error:
            # An error of this block alone, such as a crop without pixels.
            call: Future[Completion] = Future()
            call.set_exception(
                RecognitionFailed(f"The image of the block cannot be encoded: {type(error).__name__}.")
            )
            return self._register(call)
        return self._register(asyncio.run_coroutine_threadsafe(self._complete(request), self._loop))

    def text_of(self, call: "Future[Completion]") -> str:
        """Wait for an answer; a missing or incomplete text has a mark, by which the block is found."""
        block = self._block_text(call)
        if block.error is None:
            return block.text
        mark = new_mark()
        self.failures[mark] = block.error
        return block.marked(mark)

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

    def _with_options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        detection = {"repetition_detection": VLLM_DETECTION} if self._options.detect_repetition else {}
        limited = dict(parameters)
        if (most := self._options.max_new_tokens) is not None and "max_completion_tokens" in parameters:
            limited["max_completion_tokens"] = min(parameters["max_completion_tokens"], most)
        return {"model": self._options.model, **limited, **detection}

    async def _complete(self, request: _Request) -> Completion:
        first = await self._called(request)
        penalty = self._options.retry_penalty
        if penalty is None or not isinstance(BlockText.of(first).error, Repetition):
            return first
        again = replace(request, parameters={**request.parameters, "repetition_penalty": penalty})
        try:
            second = await self._called(again)
        except OcrError:
            return first
        return first if BlockText.of(second).error else second

    async def _called(self, request: _Request) -> Completion:
        return await self._vlm.complete(self._options.model, request.body(), self._options.caller)

    def _block_text(self, call: "Future[Completion]") -> BlockText:
        try:
            return BlockText.of(self.wait_for(call))
        except CancelledError:
            raise
        except OcrError as error:
            return BlockText("", bare(error))
        except Exception as error:
            log.warning("a call to vLLM failed: %s", type(error).__name__)
            return BlockText("", RecognitionFailed("The call to the vLLM server failed."))

    def _register(self, call: "Future[Completion]") -> Answer:
        with self._lock:
            self._calls.append(call)
            if self._cancelled:
                call.cancel()
        return Answer(self, call)
