import asyncio

import pytest

from ocr_service.admission.page_slots import PageSlots
from ocr_service.core.turns import UNKNOWN, Caller

pytestmark = pytest.mark.anyio

PLENTY = 10**9
ANNA, BERT, CARL = (Caller(name) for name in "abc")
JOB_OF_ANNA, JOB_OF_BERT = (Caller(name, is_job=True) for name in "ab")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """Waiters of one `PageSlots`, each in its own task. served: names in the order of service."""

    def __init__(self, slots: PageSlots) -> None:
        self.slots = slots
        self.served: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, name: str, pixels: int = 1, caller: Caller = UNKNOWN) -> asyncio.Task[None]:
        task = asyncio.create_task(self._take(name, pixels, caller))
        self._tasks.append(task)
        # In one step of the event loop, the task is served or starts to wait.
        await asyncio.sleep(0)
        return task

    async def end(self) -> None:
        """End the waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, name: str, pixels: int, caller: Caller) -> None:
        await self.slots.acquire(pixels, caller)
        self.served.append(name)


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_slots_are_granted_in_request_order() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    for name in "abc":
        await queue.add(name)
    assert queue.served == ["a"]
    for _ in range(2):
        queue.slots.release(1)
        await settled()
    assert queue.served == ["a", "b", "c"]


async def test_pages_and_pixels_are_bounded() -> None:
    queue = Queue(PageSlots(pages=3, pixels=100))
    for name in "ab":
        await queue.add(name, pixels=50)
    await queue.add("no pixels left", pixels=1)
    assert queue.served == ["a", "b"]
    assert (queue.slots.pages_taken, queue.slots.size_taken) == (2, 100)
    queue.slots.release(50)
    await settled()
    assert (queue.slots.pages_taken, queue.slots.size_taken) == (2, 51)


async def test_small_pages_do_not_overtake_a_large_page() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("first", pixels=60)
    await queue.add("large", pixels=90)
    await queue.add("small", pixels=1)
    assert queue.served == ["first"]
    queue.slots.release(60)
    await settled()
    assert queue.served == ["first", "large", "small"]


async def test_page_beyond_the_pixel_budget_runs_alone() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("small", pixels=1)
    await queue.add("huge", pixels=1000)
    assert queue.served == ["small"]
    queue.slots.release(1)
    await settled()
    await queue.add("after it", pixels=1)
    assert queue.served == ["small", "huge"]
    queue.slots.release(1000)
    await settled()
    assert queue.served == ["small", "huge", "after it"]


async def test_cancelled_waiter_does_not_block_the_queue() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("first", pixels=60)
    large = await queue.add("large", pixels=90)
    await queue.add("small", pixels=1)
    large.cancel()
    await settled()
    assert queue.served == ["first", "small"]
    assert (queue.slots.pages_taken, queue.slots.size_taken) == (2, 61)


async def test_slot_granted_to_a_cancelled_waiter_passes_to_the_next() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    await queue.add("first")
    cancelled = await queue.add("cancelled")
    await queue.add("next")
    # Both in one step of the event loop: the slot is granted before the task sees its cancellation.
    queue.slots.release(1)
    cancelled.cancel()
    await settled()
    assert queue.served == ["first", "next"]
    assert queue.slots.pages_taken == 1


async def test_slot_released_during_a_cancellation_is_not_lost() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    await queue.add("first")
    cancelled = await queue.add("cancelled")
    await queue.add("next")
    cancelled.cancel()
    queue.slots.release(1)
    await settled()
    assert queue.served == ["first", "next"]
    assert queue.slots.pages_taken == 1


async def test_speed_excludes_idle_time() -> None:
    clock = Clock()
    slots = PageSlots(pages=2, pixels=PLENTY, clock=clock)
    assert slots.pages_a_second is None
    for _ in range(4):
        await slots.acquire(1)
        clock.now += 0.5
        slots.release(1)
        clock.now += 100
    assert slots.pages_a_second == pytest.approx(2)


async def test_speed_weights_recent_pages_most() -> None:
    clock = Clock()
    slots = PageSlots(pages=1, pixels=PLENTY, clock=clock)
    for seconds in [10.0] * 50 + [1.0] * 100:
        await slots.acquire(1)
        clock.now += seconds
        slots.release(1)
    assert slots.pages_a_second == pytest.approx(1, rel=0.1)


async def test_requests_go_before_jobs_and_jobs_are_bounded_beside_them() -> None:
    queue = Queue(PageSlots(pages=3, pixels=PLENTY, job_pages=1))
    await queue.add("request")
    for name in ("job 1", "job 2"):
        await queue.add(name, caller=JOB_OF_ANNA)
    await queue.add("other request")
    assert queue.served == ["request", "job 1", "other request"]
    await queue.add("third request")
    queue.slots.release(1, JOB_OF_ANNA)
    await settled()
    assert queue.served[3:] == ["third request"]
    queue.slots.release(1)
    await settled()
    assert queue.served[4:] == ["job 2"]


async def test_jobs_use_every_slot_when_no_request_came_for_a_while() -> None:
    clock = Clock()
    queue = Queue(PageSlots(pages=3, pixels=PLENTY, job_pages=1, clock=clock))
    await queue.add("request")
    queue.slots.release(1)
    for number in range(4):
        await queue.add(f"job {number}", caller=JOB_OF_ANNA)
    assert queue.served == ["request", "job 0"]
    clock.now += 10
    queue.slots.release(1, JOB_OF_ANNA)
    await settled()
    assert queue.served[2:] == ["job 1", "job 2", "job 3"]


async def test_owners_of_jobs_take_turns() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    for number in range(3):
        await queue.add(f"a{number}", caller=JOB_OF_ANNA)
    await queue.add("b0", caller=JOB_OF_BERT)
    for _ in range(3):
        queue.slots.release(1, JOB_OF_ANNA)
        await settled()
    assert queue.served == ["a0", "a1", "b0", "a2"]


async def test_page_of_a_job_that_left_does_not_block_its_owner() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    await queue.add("first", caller=JOB_OF_ANNA)
    left = await queue.add("left", caller=JOB_OF_ANNA)
    await queue.add("next", caller=JOB_OF_ANNA)
    left.cancel()
    await settled()
    queue.slots.release(1, JOB_OF_ANNA)
    await settled()
    assert queue.served == ["first", "next"]
    assert queue.slots.taken_by_jobs == 1


async def test_next_slot_is_for_the_caller_with_the_fewest() -> None:
    queue = Queue(PageSlots(pages=2, pixels=PLENTY))
    for number in range(5):
        await queue.add(f"a{number}", caller=ANNA)
    for name, caller in (("b0", BERT), ("c0", CARL), ("b1", BERT)):
        await queue.add(name, caller=caller)
    assert queue.served == ["a0", "a1", "b0"], "one slot is kept for a caller without any"
    queue.slots.release(1, ANNA)
    await settled()
    assert queue.served[3:] == ["c0"]
    for caller in (ANNA, BERT):
        queue.slots.release(1, caller)
        await settled()
    assert queue.served[4:] == ["a2", "b1"]
    await queue.end()


async def test_pixels_of_others_do_not_delay_a_caller_without_a_page() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("a0", pixels=100, caller=ANNA)
    await queue.add("a1", pixels=5, caller=ANNA)
    await queue.add("b0", pixels=10, caller=BERT)
    await queue.add("c0", pixels=1, caller=CARL)
    assert queue.served == ["a0", "b0"]
    await queue.end()


async def test_pages_of_jobs_do_not_delay_a_request() -> None:
    queue = Queue(PageSlots(pages=2, pixels=PLENTY))
    for number in range(3):
        await queue.add(f"job {number}", caller=JOB_OF_ANNA)
    await queue.add("job of another", caller=JOB_OF_BERT)
    await queue.add("request", caller=ANNA)
    assert queue.served == ["job 0", "job 1", "request"]
    await queue.end()
