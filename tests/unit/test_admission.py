import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

import pytest

from ocr_service.admission.admission import Admission, Bounds
from ocr_service.core.errors import Draining, Overloaded, RequestTimedOut

pytestmark = pytest.mark.anyio


def admission(*, waiting: int = 2, document_bytes: int = 100, seconds: float = 60) -> Admission:
    return Admission(
        Bounds(pages=4, pixels=10**9, document_bytes=document_bytes, waiting=waiting, seconds=seconds)
    )


async def test_who_would_wait_behind_a_full_room_is_refused_and_counted() -> None:
    room = admission(waiting=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(room.visit()).start_clock()
        assert room.waiting == 2
        with pytest.raises(Overloaded) as refused, room.visit():
            pass
    assert refused.value.headers == {"Retry-After": "10"}
    assert room.refused == {"overloaded": 1, "draining": 0}
    assert (room.visits, room.waiting) == (0, 0)


async def test_documents_on_their_way_do_not_fill_the_room_but_are_refused_at_its_door() -> None:
    room = admission(waiting=1)
    with ExitStack() as stack:
        first, second = (stack.enter_context(room.visit()) for _ in range(2))
        assert (room.visits, room.waiting) == (2, 0)
        first.start_clock()
        with pytest.raises(Overloaded):
            second.start_clock()


async def test_a_request_of_which_a_page_is_read_waits_no_longer() -> None:
    room = admission(waiting=1)
    with room.visit() as visit, room.page_queue(3) as queue:
        visit.start_clock()
        await queue.acquire(1)
        assert room.waiting == 0
        with room.visit() as other:
            other.start_clock()
            queue.release(1)
            assert room.waiting == 2
            assert room.pages_ahead == 2


async def test_retry_after_is_the_time_that_the_pages_ahead_should_take() -> None:
    room = admission(waiting=1)
    room.slots._clock = iter(range(100)).__next__
    with room.visit() as visit, room.page_queue(41) as queue:
        visit.start_clock()
        await queue.acquire(1)
        queue.release(1)
        with pytest.raises(Overloaded) as refused, room.visit():
            pass
    speed = room.slots.pages_a_second
    assert speed
    assert refused.value.retry_after == -(-40 // speed)


async def test_bytes_of_all_documents_are_bounded_and_one_alone_always_has_room() -> None:
    room = admission(document_bytes=100)
    with room.visit() as large:
        for _ in range(3):
            large.hold(80)
        with room.visit() as other, pytest.raises(Overloaded):
            other.hold(1)
        assert room.document_bytes == 240
    assert room.document_bytes == 0
    with room.visit() as one, room.visit() as two:
        one.hold(60)
        two.hold(40)
        with pytest.raises(Overloaded):
            two.hold(1)


async def test_time_runs_from_the_documents_arrival_and_a_caller_may_ask_for_less() -> None:
    room = admission(seconds=60)
    with room.visit() as visit, pytest.raises(RequestTimedOut, match=r"within 0\.01 s"):
        async with visit.in_time():
            visit.start_clock(0.01)
            await asyncio.Event().wait()


async def test_a_caller_cannot_ask_for_more() -> None:
    room = admission(seconds=0.01)
    with room.visit() as visit, pytest.raises(RequestTimedOut, match=r"within 0\.01 s"):
        visit.start_clock(3600)
        async with visit.in_time():
            await asyncio.Event().wait()


async def test_a_timeout_of_something_else_stays_what_it_is() -> None:
    with admission().visit() as visit, pytest.raises(TimeoutError, match="of the work's own"):
        async with visit.in_time():
            raise TimeoutError("of the work's own")


async def numbers(closed: asyncio.Event) -> AsyncGenerator[int]:
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        closed.set()


async def test_each_item_is_awaited_in_time() -> None:
    closed = asyncio.Event()
    with admission().visit() as visit:
        visit.start_clock(0.05)
        items = visit.each(numbers(closed))
        assert await anext(items) == 1
        with pytest.raises(RequestTimedOut):
            await anext(items)
    assert closed.is_set()


async def test_draining_waits_for_who_is_there_and_lets_nobody_in() -> None:
    room = admission()
    with ExitStack() as stack:
        visit = stack.enter_context(room.visit())
        draining = asyncio.create_task(room.drain(60))
        await asyncio.sleep(0)
        with pytest.raises(Draining) as refused, room.visit():
            pass
        assert refused.value.headers["Connection"] == "close"
        # Its headers came before: it is in.
        visit.start_clock()
        assert not draining.done()
    await draining
    assert room.refused["draining"] == 1


async def test_who_does_not_come_to_an_end_is_ended_and_told_why() -> None:
    room = admission()

    async def stay() -> None:
        with room.visit() as visit:
            visit.start_clock()
            async with visit.in_time():
                await asyncio.Event().wait()

    staying = asyncio.create_task(stay())
    await asyncio.sleep(0)
    await room.drain(0.01)
    with pytest.raises(Draining, match="had to stop"):
        await staying
    assert room.visits == 0
