import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar

import pytest

from ocr_service.core.turns import Caller
from ocr_service.runtime.threads import Workers, WorkTracker, open_in_thread, work_tracker

pytestmark = pytest.mark.anyio


class Load:
    """A stand-in for a page."""


class BlockingWork:
    """Work that blocks its thread until the test releases it; `begun` is set on the event loop."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go_on.wait(timeout=120)


async def test_queued_work_is_dropped_when_its_caller_is_cancelled() -> None:
    workers, blocking = Workers(1, "test"), BlockingWork()
    running = asyncio.create_task(workers.run(blocking))
    await blocking.begun.wait()
    load = Load()
    reference = weakref.ref(load)
    waiting = asyncio.create_task(workers.run(lambda _: None, load))
    del load
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    del waiting
    # One more iteration, as the event loop still refers to the current callback.
    await asyncio.sleep(0)
    gc.collect()
    assert reference() is None, "the page must be freed while the thread is still busy"
    blocking.go_on.set()
    await running
    workers.close()


async def test_callers_take_turns() -> None:
    workers, blocking = Workers(1, "test"), BlockingWork()
    order: list[str] = []
    running = asyncio.create_task(workers.run_for(Caller("anna"), blocking))
    await blocking.begun.wait()
    waiting = [
        asyncio.create_task(workers.run_for(Caller(name), order.append, name))
        for name in ("anna", "anna", "bert")
    ]
    await asyncio.sleep(0)
    blocking.go_on.set()
    await asyncio.gather(running, *waiting)
    workers.close()
    assert order == ["anna", "bert", "anna"]


async def test_thread_is_free_when_its_work_ends_even_if_the_caller_is_cancelled() -> None:
    workers, blocking = Workers(1, "test"), BlockingWork()
    order: list[str] = []

    def first() -> None:
        blocking()
        order.append("first")

    cancelled = asyncio.create_task(workers.run(first))
    await blocking.begun.wait()
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    second = asyncio.create_task(workers.run(order.append, "second"))
    await asyncio.sleep(0)
    assert not second.done()
    blocking.go_on.set()
    await second
    assert order == ["first", "second"]
    workers.close()


async def test_work_runs_in_the_context_of_its_caller() -> None:
    workers = Workers(1, "test")
    name: ContextVar[str] = ContextVar("name")
    name.set("caller")
    assert await workers.run(name.get) == "caller"
    workers.close()


async def test_failure_reaches_the_caller_and_frees_the_thread() -> None:
    workers = Workers(1, "test")

    def fail() -> None:
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await workers.run(fail)
    workers.close()


async def test_tracked_work_ends_with_its_task_and_its_threads() -> None:
    workers, blocking = Workers(1, "test"), BlockingWork()
    ended = asyncio.Event()

    async def work() -> None:
        work_tracker.set(tracker)
        await workers.run(blocking)

    tracker = WorkTracker(ended.set)
    task = asyncio.create_task(work())
    task.add_done_callback(tracker.task_done)
    await blocking.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not ended.is_set()
    blocking.go_on.set()
    await asyncio.wait_for(ended.wait(), 120)
    workers.close()


async def test_work_after_the_end_of_its_task_does_not_end_the_tracker_again() -> None:
    workers = Workers(1, "test")
    ends: list[bool] = []
    work_tracker.set(WorkTracker(lambda: ends.append(True)))
    tracker = work_tracker.get()
    assert tracker is not None
    tracker.task_done()
    await workers.run(bool)
    await workers.run(bool)
    assert ends == [True]
    workers.close()


async def test_closed_pool_refuses_every_caller() -> None:
    workers = Workers(1, "test")
    workers.close()
    async with asyncio.timeout(120):
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await workers.run(int)


async def test_calls_that_outlive_their_callers_are_waited_for() -> None:
    workers, blocking = Workers(1, "test"), BlockingWork()
    running = asyncio.create_task(workers.run(blocking))
    await blocking.begun.wait()
    running.cancel()
    workers.close()
    waiting = asyncio.create_task(workers.wait())
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    blocking.go_on.set()
    async with asyncio.timeout(120):
        await waiting


@pytest.mark.parametrize("ends_first", [True, False])
async def test_file_that_is_opened_for_a_cancelled_caller_is_closed(ends_first: bool) -> None:
    begun, go_on, ended, closed = (threading.Event() for _ in range(4))

    def open_one() -> threading.Event:
        begun.set()
        go_on.wait(timeout=120)
        ended.set()
        return closed

    opening = asyncio.create_task(open_in_thread(open_one, threading.Event.set))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    if ends_first:
        go_on.set()
        # The event loop learns of the end after the cancellation only.
        ended.wait(timeout=120)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go_on.set()
    assert await asyncio.to_thread(closed.wait, 120)


async def test_file_that_is_opened_stays_open() -> None:
    closed = threading.Event()
    assert await open_in_thread(lambda: closed, threading.Event.set) is closed
    assert not closed.is_set()
