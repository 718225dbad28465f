"""Runs over items: a number of them is in flight at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_flight(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], count: int
) -> AsyncGenerator[R]:
    """Yield the results of `work` as they come, with `count` calls at a time; an error cancels the others."""
    done: set[asyncio.Task[R]] = set()
    running: set[asyncio.Task[R]] = set()
    is_open = True
    try:
        while is_open or running:
            while is_open and len(running) < count:
                try:
                    running.add(asyncio.ensure_future(work(await anext(items))))
                except StopAsyncIteration:
                    is_open = False
            if running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
    finally:
        for task in running:
            task.cancel()
        # Also the tasks that failed with the first one; asyncio would print their errors later.
        await asyncio.gather(*done, *running, return_exceptions=True)
