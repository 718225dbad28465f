"""The model thread: waiting pages share a batch, and a bad page fails alone."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from ocr_service.engines.paddleocr_vl.model_thread import MAX_BATCH, ModelThread


class Model:
    """Doubles numbers; records its batches, and waits at a gate before the first."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.batches: list[list[Any]] = []
        self.threads: set[int] = set()

    def __call__(self, images: list[Any], **options: Any) -> Iterator[Any]:
        self.begun.set()
        assert self.gate.wait(120)
        self.batches.append([*images, *options.values()])
        self.threads.add(threading.get_ident())
        for image in images:
            if image == "bad":
                raise ValueError("this one is bad")
            yield image * 2


@pytest.fixture
def thread() -> Iterator[ModelThread]:
    thread = ModelThread("models")
    yield thread
    thread.close()


def results(futures: list[Future[list[Any]]]) -> list[list[Any]]:
    return [future.result(120) for future in futures]


def test_idle_thread_reads_a_page_at_once(thread: ModelThread) -> None:
    model = Model()
    model.gate.set()
    assert thread.infer(model, [1], {}).result(120) == [2]
    assert thread.infer(model, [2], {}).result(120) == [4]
    assert model.batches == [[1], [2]]


def test_waiting_pages_share_a_batch(thread: ModelThread) -> None:
    model = Model()
    first = thread.infer(model, [0], {})
    assert model.begun.wait(120)
    waiting = [thread.infer(model, [n], {}) for n in range(1, 12)]
    model.gate.set()
    assert results([first, *waiting]) == [[2 * n] for n in range(12)]
    assert [len(batch) for batch in model.batches] == [1, MAX_BATCH, 3]
    assert len(model.threads) == 1


def test_pages_with_different_options_do_not_share_a_batch(thread: ModelThread) -> None:
    model = Model()
    first = thread.infer(model, [0], {})
    assert model.begun.wait(120)
    waiting = [thread.infer(model, [n], {"threshold": n // 2}) for n in range(1, 6)]
    alone = [thread.infer(model, [n], {"threshold": 2}, batched=False) for n in (6, 7)]
    model.gate.set()
    assert results([first, *waiting, *alone]) == [[2 * n] for n in range(8)]
    assert model.batches == [[0], [1, 0], [2, 3, 1], [4, 5, 2], [6, 2], [7, 2]]


def test_pages_of_different_models_do_not_share_a_batch(thread: ModelThread) -> None:
    one, other = Model(), Model()
    other.gate.set()
    first = thread.infer(one, [0], {})
    assert one.begun.wait(120)
    waiting = [thread.infer(model, [n], {}) for n, model in ((1, one), (2, other), (3, other))]
    one.gate.set()
    assert results([first, *waiting]) == [[0], [2], [4], [6]]
    assert (one.batches, other.batches) == ([[0], [1]], [[2, 3]])
    assert one.threads == other.threads


def test_bad_page_fails_alone(thread: ModelThread) -> None:
    model = Model()
    first = thread.infer(model, [0], {})
    assert model.begun.wait(120)
    good, bad, other = (thread.infer(model, [image], {}) for image in (1, "bad", 2))
    model.gate.set()
    assert results([first, good, other]) == [[0], [2], [4]]
    with pytest.raises(ValueError, match="bad"):
        bad.result(120)


def test_too_few_results_are_an_error(thread: ModelThread) -> None:
    with pytest.raises(RuntimeError, match="0 results for 1"):
        thread.infer(lambda images: [], [1], {}).result(120)


def test_cancelled_page_is_not_read(thread: ModelThread) -> None:
    model = Model()
    first = thread.infer(model, [0], {})
    assert model.begun.wait(120)
    unwanted, wanted = thread.infer(model, [1], {}), thread.infer(model, [2], {})
    assert unwanted.cancel()
    model.gate.set()
    assert results([first, wanted]) == [[0], [4]]
    with pytest.raises(CancelledError):
        unwanted.result(120)
    assert model.batches == [[0], [2]]


def test_other_work_runs_on_the_same_thread(thread: ModelThread) -> None:
    model = Model()
    model.gate.set()
    thread.infer(model, [0], {}).result(120)
    assert thread.call(threading.get_ident).result(120) in model.threads
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda: 1 // 0).result(120)


def test_queued_work_is_done_before_shutdown(thread: ModelThread) -> None:
    model = Model()
    first = thread.infer(model, [0], {})
    assert model.begun.wait(120)
    waiting = thread.infer(model, [1], {})
    thread.close()
    model.gate.set()
    assert results([first, waiting]) == [[0], [2]]


def test_work_after_shutdown_is_cancelled() -> None:
    thread = ModelThread("models")
    thread.close()
    assert thread.infer(Model(), [1], {}).cancelled()
    assert thread.call(int).cancelled()


def test_failed_pages_are_freed_without_the_garbage_collector(thread: ModelThread) -> None:
    class Image:
        pass

    def fail(images: list[Image]) -> list[Image]:
        raise ValueError

    def read() -> "weakref.ref[Image]":
        image = Image()
        assert isinstance(thread.infer(fail, [image], {}).exception(120), ValueError)
        return weakref.ref(image)

    gc.disable()
    try:
        seen = read()
        thread.call(int).result(120)
        assert seen() is None
    finally:
        gc.enable()


def test_read_pages_are_freed(thread: ModelThread) -> None:
    class Image:
        def __mul__(self, _: int) -> int:
            return 0

    def read(image: Image, model: Callable[..., Any]) -> "weakref.ref[Image]":
        thread.infer(model, [image], {}).result(120)
        return weakref.ref(image)

    model = Model()
    model.gate.set()
    seen = read(Image(), lambda images: [0 for _ in images])
    # One more call shows that the thread is idle again.
    thread.call(int).result(120)
    gc.collect()
    assert seen() is None
