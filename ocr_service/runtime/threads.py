"""Threads for work that an event loop waits for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

stay: ContextVar["Stay | None"] = ContextVar("stay", default=None)
"""That of the running task, where it has one."""


class Stay:
    """Lasts until its task has ended, and all that threads do for it; then `ended` is called, once.

    A thread works on after its task has been cancelled, and holds the memory that it works with.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        # The task, and its threads.
        self._users = 1

    def lengthen(self, work: "Future[Any]") -> None:
        """Last until this has ended, too."""
        # What the task has started to run on without it is none of its own.
        if self._users:
            self._users += 1
            work.add_done_callback(self._leave_soon)

    def leave(self, _: object = None) -> None:
        """Notice that the task has ended; what its callback is given beside is not looked at."""
        self._users -= 1
        if not self._users:
            self._ended()

    def _leave_soon(self, _: "Future[Any]") -> None:
        # The loop may have ended before the thread.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.leave)


async def in_thread(threads: Executor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in the caller's context; cancelling drops it unless it has begun."""
    return await asyncio.wrap_future(_given(threads, call, *args, **kwargs))


def _given(threads: Executor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    work = threads.submit(partial(copy_context().run, call, *args, **kwargs))
    if (staying := stay.get()) is not None:
        staying.lengthen(work)
    return work


class Workers:
    """`count` threads that are given work only when they are free.

    In an executor's own queue, what callers gave up would stay, pages and all, until a thread came to it.
    """

    def __init__(self, count: int, name: str) -> None:
        self._free = asyncio.Semaphore(count)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` in the caller's context; cancelling drops it unless it has begun."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()

        def release(_: "Future[Any]") -> None:
            # Once the work has ended, which may be after its caller has left, or the whole service.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._free.release)

        work = _given(self._threads, call, *args, **kwargs)
        work.add_done_callback(release)
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """Take no more work; what runs goes on to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
