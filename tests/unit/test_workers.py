import asyncio
import gc
import threading
import weakref
from contextvars import ContextVar

import pytest

from ocr_service.runtime.threads import Workers, WorkTracker, work_tracker

pytestmark = pytest.mark.anyio


class Load:
    """Stands for a page."""


class Held:
    """Work that holds its thread until the test lets it go; `begun` is set on the test's loop."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go_on.wait(timeout=30)


async def test_what_waits_is_dropped_with_its_caller() -> None:
    workers, hold = Workers(1, "test"), Held()
    running = asyncio.create_task(workers.run(hold))
    await hold.begun.wait()
    load = Load()
    gone = weakref.ref(load)
    waiting = asyncio.create_task(workers.run(lambda _: None, load))
    del load
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    del waiting
    # One more turn of the loop, which still holds the callback that brought us here.
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None, "the thread is still busy, and nothing keeps the page"
    hold.go_on.set()
    await running
    workers.close()


async def test_thread_is_free_again_when_its_work_ends_and_not_when_its_caller_leaves() -> None:
    workers, hold = Workers(1, "test"), Held()
    order: list[str] = []

    def first() -> None:
        hold()
        order.append("first")

    leaving = asyncio.create_task(workers.run(first))
    await hold.begun.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    second = asyncio.create_task(workers.run(order.append, "second"))
    await asyncio.sleep(0)
    assert not second.done()
    hold.go_on.set()
    await second
    assert order == ["first", "second"]
    workers.close()


async def test_work_runs_in_its_callers_context() -> None:
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


async def test_a_stay_lasts_as_long_as_its_task_and_its_threads() -> None:
    workers, hold = Workers(1, "test"), Held()
    ended = asyncio.Event()

    async def work() -> None:
        work_tracker.set(tracker)
        await workers.run(hold)

    tracker = WorkTracker(ended.set)
    task = asyncio.create_task(work())
    task.add_done_callback(tracker.task_done)
    await hold.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not ended.is_set()
    hold.go_on.set()
    await asyncio.wait_for(ended.wait(), 30)
    workers.close()


async def test_what_outlives_its_task_on_purpose_does_not_end_a_stay_again() -> None:
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
