import asyncio

import pytest

from ocr_service.admission.page_slots import PageSlots

pytestmark = pytest.mark.anyio

PLENTY = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """Callers of one `PageSlots`, each in its own task. served: their names, in order."""

    def __init__(self, slots: PageSlots) -> None:
        self.slots = slots
        self.served: list[str] = []

    async def add(self, name: str, pixels: int = 1) -> asyncio.Task[None]:
        task = asyncio.create_task(self._take(name, pixels))
        # One step: it asks, and is served at once or waits.
        await asyncio.sleep(0)
        return task

    async def _take(self, name: str, pixels: int) -> None:
        await self.slots.acquire(pixels)
        self.served.append(name)


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_places_are_given_in_the_order_in_which_they_are_asked_for() -> None:
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
    assert (queue.slots.pages_taken, queue.slots.pixels_taken) == (2, 100)
    queue.slots.release(50)
    await settled()
    assert (queue.slots.pages_taken, queue.slots.pixels_taken) == (2, 51)


async def test_nobody_overtakes_a_large_page() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("first", pixels=60)
    await queue.add("large", pixels=90)
    await queue.add("small", pixels=1)
    assert queue.served == ["first"]
    queue.slots.release(60)
    await settled()
    assert queue.served == ["first", "large", "small"]


async def test_a_page_larger_than_all_there_is_goes_alone() -> None:
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


async def test_who_gives_up_does_not_stand_in_the_way() -> None:
    queue = Queue(PageSlots(pages=9, pixels=100))
    await queue.add("first", pixels=60)
    large = await queue.add("large", pixels=90)
    await queue.add("small", pixels=1)
    large.cancel()
    await settled()
    assert queue.served == ["first", "small"]
    assert (queue.slots.pages_taken, queue.slots.pixels_taken) == (2, 61)


async def test_a_place_given_to_who_just_gave_up_goes_to_the_next() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    await queue.add("first")
    leaving = await queue.add("leaving")
    await queue.add("next")
    # Both in one step of the loop: the place is granted before the task sees that it is cancelled.
    queue.slots.release(1)
    leaving.cancel()
    await settled()
    assert queue.served == ["first", "next"]
    assert queue.slots.pages_taken == 1


async def test_a_place_that_comes_free_while_the_next_one_gives_up_is_not_lost() -> None:
    queue = Queue(PageSlots(pages=1, pixels=PLENTY))
    await queue.add("first")
    leaving = await queue.add("leaving")
    await queue.add("next")
    leaving.cancel()
    queue.slots.release(1)
    await settled()
    assert queue.served == ["first", "next"]
    assert queue.slots.pages_taken == 1


async def test_the_speed_is_that_of_the_time_in_which_there_is_something_to_do() -> None:
    clock = Clock()
    slots = PageSlots(pages=2, pixels=PLENTY, clock=clock)
    assert slots.pages_a_second is None
    for _ in range(4):
        await slots.acquire(1)
        clock.now += 0.5
        slots.release(1)
        clock.now += 100
    assert slots.pages_a_second == pytest.approx(2)


async def test_the_last_pages_count_most() -> None:
    clock = Clock()
    slots = PageSlots(pages=1, pixels=PLENTY, clock=clock)
    for seconds in [10.0] * 50 + [1.0] * 100:
        await slots.acquire(1)
        clock.now += seconds
        slots.release(1)
    assert slots.pages_a_second == pytest.approx(1, rel=0.1)
