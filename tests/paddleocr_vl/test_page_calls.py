"""A page's calls: who waits gives up the core, what fails is told apart, what is given up ends."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from ocr_service.core.errors import RecognitionFailed, VlmTimeout
from ocr_service.engines.paddleocr_vl.page_calls import Crop, PageCalls
from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient

pytestmark = pytest.mark.anyio


class Client:
    """Answers with what it is given, or raises it; stands where `VlmClient` does."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self._outcomes = list(outcomes)

    async def complete(self, body: bytes) -> str:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def encode(pixels: object) -> Crop:
    if pixels is None:
        raise ValueError("no pixels")
    return Crop(b"file", "image/jpeg")


def page_calls(*outcomes: str | Exception) -> tuple[PageCalls, threading.Semaphore]:
    cores = threading.Semaphore(1)
    client = cast(VlmClient, Client(*outcomes))
    return PageCalls(client, asyncio.get_running_loop(), encode, "model", cores), cores


def read_all(calls: PageCalls, blocks: list[object]) -> list[object]:
    """Do as the pipeline does, in the page's thread."""
    answers = [calls.send(block, "OCR:", {}) for block in blocks]
    return [answer.get("result") for answer in answers]


async def test_every_failure_is_its_blocks_own() -> None:
    calls, cores = page_calls("one", VlmTimeout(), KeyError("a fault of ours"), "four")
    with cores:
        texts = await asyncio.to_thread(read_all, calls, ["a", "b", "c", "d", None])
    assert (texts[0], texts[3]) == ("one", "four")
    marks = [str(text) for text in (texts[1], texts[2], texts[4])]
    kinds = [type(calls.failures[mark]) for mark in marks]
    assert kinds == [VlmTimeout, RecognitionFailed, RecognitionFailed]
    assert all(error.__traceback__ is None for error in calls.failures.values())
    assert not calls.all_failed


async def test_page_of_which_nothing_was_read() -> None:
    calls, cores = page_calls(VlmTimeout(), VlmTimeout())
    assert not calls.all_failed
    with cores:
        await asyncio.to_thread(read_all, calls, ["a", "b"])
    assert calls.all_failed


async def test_who_waits_leaves_the_core_to_others_and_takes_it_back() -> None:
    calls, cores = page_calls()
    awaited: Future[str] = Future()
    cores.acquire()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(calls.wait_for, awaited)
        assert cores.acquire(timeout=30), "the core is free meanwhile"
        awaited.set_result("text")
        assert not waiting.done()
        cores.release()
        assert waiting.result(30) == "text"
    assert not cores.acquire(blocking=False), "it is taken again"


async def test_page_that_is_given_up_ends_wherever_it_is() -> None:
    calls, cores = page_calls()
    awaited: Future[str] = Future()
    cores.acquire()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(calls.wait_for, awaited)
        assert cores.acquire(timeout=30)
        calls.cancel()
        cores.release()
        assert isinstance(waiting.exception(30), CancelledError)
    assert awaited.cancelled()
    steps: list[Any] = [calls.check, lambda: calls.send("a", "OCR:", {}), lambda: calls.wait_for(Future())]
    for step in steps:
        with pytest.raises(CancelledError):
            step()
