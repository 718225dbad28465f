"""Slots: callers take turns, and work of requests goes before that of jobs."""

import asyncio
from typing import Self

import pytest

from ocr_service.core.slots import Slots
from ocr_service.core.turns import Caller

pytestmark = pytest.mark.anyio

# Slots of jobs beside those of requests.
BESIDE = 3


class Work:
    """Work that waits or runs, each in its own task; all ends with the `async with` block.

    served: names in the order of service. now: the clock.
    """

    def __init__(self, limit: int) -> None:
        self.now = 0.0
        self.served: list[str] = []
        self._slots = Slots(limit, BESIDE, lambda: self.now)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for name in list(self._tasks):
            await self.end(name)

    async def begin(self, name: str) -> None:
        """Begin work; its first word is the caller, and that of a job is "job"."""
        self._tasks[name] = asyncio.create_task(self._run(name))
        await settled()

    async def end(self, name: str) -> None:
        """End work that runs or waits."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])
        await settled()

    async def _run(self, name: str) -> None:
        caller = Caller(name.split()[0], is_job="job" in name)
        async with self._slots.one(caller):
            self.served.append(name)
            await asyncio.Event().wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_request_goes_before_jobs() -> None:
    async with Work(limit=1) as work:
        for name in ("job 1", "job 2", "request 1", "request 2"):
            await work.begin(name)
        for name in ("job 1", "request 1", "request 2"):
            await work.end(name)
        assert work.served == ["job 1", "request 1", "request 2", "job 2"]


async def test_few_jobs_run_beside_requests() -> None:
    async with Work(limit=100) as work:
        await work.begin("request")
        for number in range(BESIDE + 2):
            await work.begin(f"job {number}")
        assert len(work.served) == 1 + BESIDE
        await work.end("job 0")
        assert work.served[-1] == f"job {BESIDE}"


async def test_jobs_use_every_slot_when_no_request_came_for_a_while() -> None:
    async with Work(limit=BESIDE + 10) as work:
        await work.begin("request")
        await work.end("request")
        for number in range(BESIDE + 20):
            await work.begin(f"job {number}")
        assert len(work.served) == 1 + BESIDE
        work.now += 10
        await work.end("job 0")
        assert len(work.served) == 1 + 1 + BESIDE + 10


async def test_work_that_left_does_not_block_the_next() -> None:
    async with Work(limit=1) as work:
        for name in ("request 1", "request 2", "request 3"):
            await work.begin(name)
        await work.end("request 2")
        await work.end("request 1")
        assert work.served == ["request 1", "request 3"]


async def test_many_waiting_calls_do_not_delay_another_caller() -> None:
    async with Work(limit=2) as work:
        for name in ("anna 1", "anna 2", "anna 3", "anna 4", "bert 1", "bert 2"):
            await work.begin(name)
        for name in ("anna 1", "anna 2", "bert 1"):
            await work.end(name)
        assert work.served == ["anna 1", "anna 2", "bert 1", "anna 3", "bert 2"]
