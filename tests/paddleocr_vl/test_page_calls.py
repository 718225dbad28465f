"""VLM calls of a page: a waiting page releases its core, and each block fails or is cancelled alone."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from ocr_service.core.errors import RecognitionFailed, VlmTimeout
from ocr_service.core.turns import Caller
from ocr_service.engines.paddleocr_vl.page_calls import CallOptions, Crop, PageCalls
from ocr_service.engines.paddleocr_vl.vlm_client import Completion
from ocr_service.engines.paddleocr_vl.vlm_pool import VlmPool

pytestmark = pytest.mark.anyio


class Client:
    """Stands in for `VlmPool`: returns or raises the given outcomes in order."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self._outcomes = list(outcomes)

    async def complete(self, _: str, body: bytes, caller: Caller) -> Completion:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Completion) else Completion(outcome)


def encode(pixels: object) -> Crop:
    if pixels is None:
        raise ValueError("no pixels")
    return Crop(b"file", "image/jpeg")


def page_calls(*outcomes: str | Exception) -> tuple[PageCalls, threading.Semaphore]:
    cores = threading.Semaphore(1)
    client = cast(VlmPool, Client(*outcomes))
    return PageCalls(client, asyncio.get_running_loop(), encode, CallOptions("model"), cores), cores


def read_all(calls: PageCalls, blocks: list[object]) -> list[object]:
    """Call it as the pipeline does, in the page's thread."""
    answers = [calls.send(block, "OCR:", {}) for block in blocks]
    return [answer.get("result") for answer in answers]


async def test_failures_are_kept_per_block() -> None:
    calls, cores = page_calls("one", VlmTimeout(), KeyError("a fault of ours"), "four")
    with cores:
        texts = await asyncio.to_thread(read_all, calls, ["a", "b", "c", "d", None])
    assert (texts[0], texts[3]) == ("one", "four")
    marks = [str(text) for text in (texts[1], texts[2], texts[4])]
    kinds = [type(calls.failures[mark]) for mark in marks]
    assert kinds == [VlmTimeout, RecognitionFailed, RecognitionFailed]
    assert all(error.__traceback__ is None for error in calls.failures.values())
    assert not calls.all_failed


async def test_page_fails_if_no_block_is_read() -> None:
    calls, cores = page_calls(VlmTimeout(), VlmTimeout())
    assert not calls.all_failed
    with cores:
        await asyncio.to_thread(read_all, calls, ["a", "b"])
    assert calls.all_failed


async def test_waiting_page_releases_its_core_and_takes_it_back() -> None:
    calls, cores = page_calls()
    awaited: Future[str] = Future()
    cores.acquire()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(calls.wait_for, awaited)
        assert cores.acquire(timeout=120), "the core is not released during the call"
        awaited.set_result("text")
        assert not waiting.done()
        cores.release()
        assert waiting.result(120) == "text"
    assert not cores.acquire(blocking=False), "the core is not taken back after the call"


async def test_cancelled_page_ends_at_any_step() -> None:
    calls, cores = page_calls()
    awaited: Future[str] = Future()
    cores.acquire()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(calls.wait_for, awaited)
        assert cores.acquire(timeout=120)
        calls.cancel()
        cores.release()
        assert isinstance(waiting.exception(120), CancelledError)
    assert awaited.cancelled()
    steps: list[Any] = [calls.check, lambda: calls.send("a", "OCR:", {}), lambda: calls.wait_for(Future())]
    for step in steps:
        with pytest.raises(CancelledError):
            step()
