"""Lanes: the order in which callers get their places."""

import asyncio

import pytest

from ocr_service.core.turns import Caller
from ocr_service.runtime.processes.lanes import Lane, Place

pytestmark = pytest.mark.anyio

ANNA, BERT = Caller("a"), Caller("b")


class Work:
    """Work that each takes a place, and ends in the order of its names. begun: names."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, caller: Caller) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._do(name, caller))
        # In one step of the event loop, the work has its place or starts to wait.
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks.pop(name)

    async def cancel(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _do(self, name: str, caller: Caller) -> None:
        async with Place(self.lane, caller):
            self.begun.append(name)
            await self._ends[name].wait()


async def test_callers_take_turns() -> None:
    work = Work(Lane(1))
    for name, caller in (("a0", ANNA), ("a1", ANNA), ("a2", ANNA), ("b0", BERT)):
        await work.add(name, caller)
    for name in ("a0", "a1", "b0", "a2"):
        await work.end(name)
    assert work.begun == ["a0", "a1", "b0", "a2"]
    assert work.lane.taken == 0


async def test_spare_place_is_for_a_caller_without_one() -> None:
    work = Work(Lane(1, spare=1))
    for name, caller in (("a0", ANNA), ("a1", ANNA), ("b0", BERT), ("b1", BERT)):
        await work.add(name, caller)
    assert work.begun == ["a0", "b0"]
    await work.end("a0")
    assert work.begun == ["a0", "b0", "a1"]
    for name in ("b0", "a1", "b1"):
        await work.end(name)
    assert work.lane.taken == 0


async def test_jobs_do_not_use_the_spare_place() -> None:
    work = Work(Lane(1, spare=1))
    await work.add("request", ANNA)
    await work.add("job", Caller("b", is_job=True))
    assert work.begun == ["request"]
    for name in ("request", "job"):
        await work.end(name)


async def test_cancelled_work_waits_no_more() -> None:
    work = Work(Lane(1))
    for name, caller in (("a0", ANNA), ("left", BERT), ("b0", BERT)):
        await work.add(name, caller)
    await work.cancel("left")
    for name in ("a0", "b0"):
        await work.end(name)
    assert work.begun == ["a0", "b0"]
    assert work.lane.taken == 0
