"""Thread pools for blocking work that the event loop waits for."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from ocr_service.core.slots import Slots
from ocr_service.core.turns import UNKNOWN, Caller

P = ParamSpec("P")
T = TypeVar("T")

work_tracker: ContextVar["WorkTracker | None"] = ContextVar("work_tracker", default=None)
"""The tracker of the running task, if it has one."""


class WorkTracker:
    """Calls `ended` once a task and all its work in threads have ended.

    A thread continues after its task was cancelled, and still holds the memory that it works with.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        # The task itself, and its unfinished work in threads.
        self._count = 1

    def add(self, work: "Future[Any]") -> None:
        """Track work in a thread, unless everything has ended: such work outlives the task on purpose."""
        if self._count:
            self._count += 1
            work.add_done_callback(self._work_done)

    def task_done(self, _: object = None) -> None:
        """Record the end of the task; usable as its done callback."""
        self._release()

    def _work_done(self, _: "Future[Any]") -> None:
        # If the event loop is closed already, nothing waits for the tracker.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._count -= 1
        if not self._count:
            self._ended()


def _submit(threads: Executor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    work = threads.submit(partial(copy_context().run, call, *args, **kwargs))
    if (tracker := work_tracker.get()) is not None:
        tracker.add(work)
    return work


class Workers:
    """A pool of `count` threads that accepts work only if a thread is free; callers take turns.

    The queue of an executor would hold cancelled calls, and their pages, until a thread reaches them.
    """

    def __init__(self, count: int, name: str) -> None:
        self._free = Slots(count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` in the context of the caller. Cancellation drops the call if it has not started."""
        return await self.run_for(UNKNOWN, call, *args, **kwargs)

    async def run_for(self, caller: Caller, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` as `run` does, when it is the turn of this sender of documents."""
        await self._free.acquire(caller=caller)
        loop, give_back = asyncio.get_running_loop(), partial(self._free.give_back, caller=caller)

        def release(_: "Future[Any]") -> None:
            # The work may end after its caller was cancelled, or after the event loop was closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(give_back)

        try:
            work = _submit(self._threads, call, *args, **kwargs)
        except RuntimeError:
            # The pool is closed. Other callers must learn that too, instead of waiting for this thread.
            give_back()
            raise
        work.add_done_callback(release)
        return await asyncio.wrap_future(work)

    def run_soon(self, call: Callable[[], object]) -> None:
        """Run a short call in a thread, before those that wait for their turn; here if the pool is closed."""
        try:
            work = self._threads.submit(call)
        except RuntimeError:
            call()
        else:
            work.add_done_callback(lambda ended: call() if ended.cancelled() else None)

    def close(self) -> None:
        """Accept no more work. Running calls continue to their end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def wait(self) -> None:
        """Wait for the running calls, after `close`."""
        await asyncio.to_thread(self._threads.shutdown)


async def open_in_thread(
    open_one: Callable[[], T],
    close: Callable[[T], object],
    run: Callable[[Callable[[], T]], Awaitable[T]] = asyncio.to_thread,
) -> T:
    """Open a file or a connection in a thread. If the caller is cancelled meanwhile, it is closed.

    run: runs a call in a thread. Its result alone would be lost with the caller, and never be closed.
    """
    opening = _Opening(open_one, close)
    try:
        return await run(opening)
    except asyncio.CancelledError:
        opening.give_up()
        raise


class _Opening(Generic[T]):
    """The call that opens it: it may end before or after the caller gives up."""

    def __init__(self, open_one: Callable[[], T], close: Callable[[T], object]) -> None:
        self._open, self._close = open_one, close
        self._opened: list[T] = []
        self._is_given_up = False
        self._lock = threading.Lock()

    def __call__(self) -> T:
        opened = self._open()
        with self._lock:
            self._opened.append(opened)
            self._close_if_lost()
        return opened

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            self._close_if_lost()

    def _close_if_lost(self) -> None:
        while self._is_given_up and self._opened:
            self._close(self._opened.pop())
