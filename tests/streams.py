"""The events of streamed answers. A blank line, which may come anywhere, tells that the service is busy."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


def events_of(stream: str) -> list[dict[str, Any]]:
    """Return the events of a whole stream."""
    return [json.loads(line) for line in stream.splitlines() if line]


async def events_in(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the events as they come."""
    async for line in response.aiter_lines():
        if line:
            yield json.loads(line)
