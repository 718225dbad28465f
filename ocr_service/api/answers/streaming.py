"""Answers that are sent in parts."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def begun(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Return the items, the first of which is there, so that an error before it has its own status."""
    try:
        first = await anext(items)
    except StopAsyncIteration:
        return items

    async def joined() -> AsyncGenerator[T]:
        async with aclosing(items):
            yield first
            async for item in items:
                yield item

    return joined()
