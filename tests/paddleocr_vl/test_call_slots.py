"""Calls to vLLM: those of requests before those of jobs."""

import asyncio
from typing import Self

import pytest

from ocr_service.engines.paddleocr_vl.call_slots import CallSlots

pytestmark = pytest.mark.anyio

# Calls of jobs beside those of requests.
BESIDE = 24


class Calls:
    """Calls that wait or run, each in its own task; all end with the `async with` block.

    served: names in the order of service. now: the clock.
    """

    def __init__(self, limit: int) -> None:
        self.now = 0.0
        self.served: list[str] = []
        self._slots = CallSlots(limit, lambda: self.now)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for name in list(self._tasks):
            await self.end(name)

    async def begin(self, name: str) -> None:
        """Begin a call; that of a job has a name with "job"."""
        self._tasks[name] = asyncio.create_task(self._run(name))
        await settled()

    async def end(self, name: str) -> None:
        """End a call that runs or waits."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])
        await settled()

    async def _run(self, name: str) -> None:
        async with self._slots.taken("job" in name):
            self.served.append(name)
            await asyncio.Event().wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_call_of_a_request_goes_before_those_of_jobs() -> None:
    async with Calls(limit=1) as calls:
        for name in ("job 1", "job 2", "request 1", "request 2"):
            await calls.begin(name)
        for name in ("job 1", "request 1", "request 2"):
            await calls.end(name)
        assert calls.served == ["job 1", "request 1", "request 2", "job 2"]


async def test_few_calls_of_jobs_run_beside_requests() -> None:
    async with Calls(limit=100) as calls:
        await calls.begin("request")
        for number in range(BESIDE + 2):
            await calls.begin(f"job {number}")
        assert len(calls.served) == 1 + BESIDE
        await calls.end("job 0")
        assert calls.served[-1] == f"job {BESIDE}"


async def test_jobs_use_every_slot_when_no_request_came_for_a_while() -> None:
    async with Calls(limit=BESIDE + 10) as calls:
        await calls.begin("request")
        await calls.end("request")
        for number in range(BESIDE + 20):
            await calls.begin(f"job {number}")
        assert len(calls.served) == 1 + BESIDE
        calls.now += 10
        await calls.end("job 0")
        assert len(calls.served) == 1 + 1 + BESIDE + 10


async def test_call_that_left_does_not_block_the_next() -> None:
    async with Calls(limit=1) as calls:
        for name in ("request 1", "request 2", "request 3"):
            await calls.begin(name)
        await calls.end("request 2")
        await calls.end("request 1")
        assert calls.served == ["request 1", "request 3"]
