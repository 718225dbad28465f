"""The rate of all bodies: a flood of one caller is slowed down, and delays another one by two chunks."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from fastapi import Request

from ocr_service.admission.admission import Admission, Bounds
from ocr_service.api.requests.body_stream import BodyStream
from ocr_service.api.requests.intake import Intake
from ocr_service.api.requests.settings import UploadSettings
from ocr_service.api.requests.upload_disk import UploadDisk
from ocr_service.core.errors import TooManyBytes
from ocr_service.core.turns import Caller

pytestmark = pytest.mark.anyio

ANNA, BERT = Caller("anna"), Caller("bert")
RATE, BURST = 1000, 5000


class Clock:
    """A clock that only sleepers advance. slept: seconds of each sleep. may_go_on: holds sleepers back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.may_go_on.wait()
        self.now += seconds

    def intake(self) -> Intake:
        return Intake(RATE, BURST, lambda: self.now, self.sleep)


async def settled() -> None:
    for _ in range(9):
        await asyncio.sleep(0)


async def test_document_after_quiet_is_not_delayed_and_the_rest_has_the_rate() -> None:
    clock = Clock()
    intake = clock.intake()
    for _ in range(10):
        await intake.take(BURST // 10, ANNA)
    assert clock.slept == []
    for _ in range(20):
        await intake.take(100, ANNA)
    # The last bytes are paid by the next ones.
    assert clock.now == pytest.approx(1900 / RATE)


async def test_pause_earns_no_more_than_one_document() -> None:
    clock = Clock()
    intake = clock.intake()
    await intake.take(BURST, ANNA)
    clock.now = 1000.0
    for _ in range(BURST // 100):
        await intake.take(100, ANNA)
    assert clock.slept == []
    await intake.take(100, ANNA)
    await intake.take(100, ANNA)
    assert sum(clock.slept) == pytest.approx(100 / RATE)


async def test_flood_delays_another_caller_by_two_chunks() -> None:
    clock, order = Clock(), list[str]()
    intake = clock.intake()
    await intake.take(BURST + 100, ANNA)
    clock.may_go_on.clear()

    async def send(caller: Caller) -> None:
        await intake.take(100, caller)
        order.append(caller.owner)

    sending = [asyncio.create_task(send(caller)) for caller in [ANNA] * 20 + [BERT]]
    await settled()
    assert order == []
    clock.may_go_on.set()
    await asyncio.gather(*sending)
    assert order.index("bert") == 2
    assert clock.now == pytest.approx(21 * 100 / RATE)


async def test_caller_that_leaves_delays_nobody() -> None:
    clock = Clock()
    intake = clock.intake()
    await intake.take(BURST + 100, ANNA)
    clock.may_go_on.clear()
    leaving = [asyncio.create_task(intake.take(10_000, caller)) for caller in (ANNA, ANNA, BERT)]
    await settled()
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    clock.may_go_on.set()
    await intake.take(1, BERT)
    assert clock.now == pytest.approx(100 / RATE)


async def test_body_is_not_read_while_it_waits(upload_disk: UploadDisk) -> None:
    clock = Clock()
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": bytes(1000), "more_body": asked < 20}

    scope = {"type": "http", "headers": []}
    with Admission(Bounds(1, 1, 2**20, 9, 60)).visit() as visit:
        stream = BodyStream(
            Request(scope, receive),
            UploadSettings(),
            visit.memory,
            upload_disk,
            clock.intake(),
            ANNA,
            _in_turn,
        )
        clock.may_go_on.clear()
        reading = asyncio.create_task(_read(stream))
        await settled()
        assert asked == BURST // 1000 + 2, "the burst, the chunk in debt, and the one that waits"
        clock.may_go_on.set()
        assert await reading == 20_000


async def _read(stream: BodyStream) -> int:
    return sum([len(chunk) async for chunk in stream.chunks(2**20, TooManyBytes())])


def _in_turn(*_: Any) -> Coroutine[Any, Any, Any]:
    raise AssertionError("this body is small")


@pytest.fixture
def upload_disk() -> UploadDisk:
    return UploadDisk(None, 2**20)
