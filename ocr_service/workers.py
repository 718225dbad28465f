"""Threads for work that an event loop waits for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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

        work = self._threads.submit(partial(copy_context().run, call, *args, **kwargs))
        work.add_done_callback(release)
        return await asyncio.wrap_future(work)

    def close(self) -> None:
        """Take no more work; what runs goes on to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
