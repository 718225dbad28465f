"""Helpers for tests of jobs over HTTP."""

import asyncio
from typing import Any

import httpx


async def is_available(client: httpx.AsyncClient) -> None:
    """Return when the database of the jobs is open; fail if it does not open."""
    async with asyncio.timeout(120):
        while (await client.get("/jobs")).status_code == 503:
            await asyncio.sleep(0.05)


async def submitted(client: httpx.AsyncClient, document: bytes, **fields: str) -> str:
    """Submit a document when jobs are available, and return the id of its job; fail if it is refused."""
    await is_available(client)
    answer = await client.post("/jobs", files={"file": document}, data=fields)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    return job


async def ended(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    """Follow the events of a job to its end, and return it."""
    async with client.stream("GET", f"/jobs/{job}/events") as events:
        assert events.status_code == 200, await events.aread()
        async for line in events.aiter_lines():
            if line == "event: end":
                break
    answer = await client.get(f"/jobs/{job}")
    status: dict[str, Any] = answer.raise_for_status().json()
    return status
