import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

import pytest

from ocr_service.admission.admission import Admission, Bounds
from ocr_service.core.errors import Draining, Overloaded, RequestTimedOut
from ocr_service.core.progress import Progress
from ocr_service.core.turns import Caller

pytestmark = pytest.mark.anyio


def make_admission(*, waiting: int = 2, document_bytes: int = 100, seconds: float = 60) -> Admission:
    return Admission(
        Bounds(pages=4, pixels=10**9, document_bytes=document_bytes, waiting=waiting, seconds=seconds)
    )


async def test_request_beyond_the_backlog_limit_is_refused_and_counted() -> None:
    admission = make_admission(waiting=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(admission.visit()).start_clock()
        assert admission.waiting == 2
        with pytest.raises(Overloaded) as refused, admission.visit():
            pass
    assert refused.value.headers == {"Retry-After": "10"}
    assert admission.refused == {"overloaded": 1, "draining": 0}
    assert (admission.visits, admission.waiting) == (0, 0)


async def test_full_backlog_of_one_caller_has_room_for_the_first_request_of_another() -> None:
    admission = make_admission(waiting=4)
    anna, bert, carl = (Caller(name) for name in ("anna", "bert", "carl"))
    with ExitStack() as stack:
        for caller in [anna] * 4 + [bert]:
            stack.enter_context(admission.visit(caller=caller)).start_clock()
        for caller in (anna, bert, carl):
            with pytest.raises(Overloaded), admission.visit(caller=caller):
                pass
    assert admission.refused["overloaded"] == 3


async def test_uploads_in_progress_do_not_count_but_are_refused_when_the_backlog_is_full() -> None:
    admission = make_admission(waiting=1)
    with ExitStack() as stack:
        first, second = (stack.enter_context(admission.visit()) for _ in range(2))
        assert (admission.visits, admission.waiting) == (2, 0)
        first.start_clock()
        with pytest.raises(Overloaded):
            second.start_clock()


async def test_request_with_a_page_in_flight_does_not_count_as_waiting() -> None:
    admission = make_admission(waiting=1)
    with admission.visit() as visit, admission.page_queue(3) as queue:
        visit.start_clock()
        slot = await queue.acquire(1)
        assert admission.waiting == 0
        with admission.visit() as other:
            other.start_clock()
            slot.end()
            assert admission.waiting == 2
            assert admission.pages_ahead == 2


async def test_retry_after_is_the_expected_time_of_the_backlog() -> None:
    admission = make_admission(waiting=1)
    admission.slots._clock = iter(range(100)).__next__
    with admission.visit() as visit, admission.page_queue(41) as queue:
        visit.start_clock()
        (await queue.acquire(1)).end()
        with pytest.raises(Overloaded) as refused, admission.visit():
            pass
    speed = admission.slots.pages_a_second
    assert speed
    assert refused.value.retry_after == -(-40 // speed)


async def test_document_bytes_are_bounded_except_for_a_single_document() -> None:
    admission = make_admission(document_bytes=100)
    with admission.visit() as large:
        for _ in range(3):
            large.memory.hold(80)
        with admission.visit() as other, pytest.raises(Overloaded):
            other.memory.hold(1)
        assert admission.memory.held == 240
    assert admission.memory.held == 0
    with admission.visit() as one, admission.visit() as two:
        one.memory.hold(60)
        two.memory.hold(40)
        with pytest.raises(Overloaded):
            two.memory.hold(1)


async def test_timeout_starts_when_the_document_is_there_and_may_be_shortened() -> None:
    admission = make_admission(seconds=60)
    with admission.visit() as visit, pytest.raises(RequestTimedOut, match=r"within 0\.01 s"):
        async with visit.in_time():
            visit.start_clock(0.01)
            await asyncio.Event().wait()


async def test_error_after_the_deadline_names_the_setting_and_the_pages() -> None:
    admission = make_admission(seconds=0.01)
    expected = r"within 0\.01 s \(OCR_REQUEST_TIMEOUT\); 3 of 7 pages were done\.$"
    with admission.visit() as visit, pytest.raises(RequestTimedOut, match=expected):
        visit.progress = Progress(total=7, done=3)
        visit.start_clock()
        async with visit.in_time():
            await asyncio.Event().wait()


async def test_unrelated_timeout_error_is_passed_through() -> None:
    with make_admission().visit() as visit, pytest.raises(TimeoutError, match="of the work's own"):
        async with visit.in_time():
            raise TimeoutError("of the work's own")


async def numbers(closed: asyncio.Event) -> AsyncGenerator[int]:
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        closed.set()


async def test_each_item_of_a_stream_is_subject_to_the_deadline() -> None:
    closed = asyncio.Event()
    with make_admission().visit() as visit:
        visit.start_clock(0.05)
        items = visit.each(numbers(closed))
        assert await anext(items) == 1
        with pytest.raises(RequestTimedOut):
            await anext(items)
    assert closed.is_set()


async def test_draining_waits_for_running_requests_and_refuses_new_ones() -> None:
    admission = make_admission()
    with ExitStack() as stack:
        visit = stack.enter_context(admission.visit())
        draining = asyncio.create_task(admission.drain(60))
        await asyncio.sleep(0)
        with pytest.raises(Draining) as refused, admission.visit():
            pass
        assert refused.value.headers["Connection"] == "close"
        # The request was admitted before draining began, so it continues.
        visit.start_clock()
        assert not draining.done()
    await draining
    assert admission.refused["draining"] == 1


async def test_request_beyond_the_drain_timeout_is_cancelled_with_a_reason() -> None:
    admission = make_admission()

    async def run_request() -> None:
        with admission.visit() as visit:
            visit.start_clock()
            async with visit.in_time():
                await asyncio.Event().wait()

    running = asyncio.create_task(run_request())
    await asyncio.sleep(0)
    await admission.drain(0.01)
    with pytest.raises(Draining, match="had to stop"):
        await running
    assert admission.visits == 0
