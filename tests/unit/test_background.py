import asyncio
import logging
import time

import pytest

from ocr_service.runtime.background import BackgroundTasks
from ocr_service.runtime.watchdog import Watchdog

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_task_that_an_error_ends_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()
    broken = asyncio.Event()

    async def break_down() -> None:
        broken.set()
        raise ValueError

    async def come_to_an_end() -> None:
        await broken.wait()

    background.start("the broken one", break_down())
    background.start("the finished one", come_to_an_end())
    background.start("the running one", asyncio.Event().wait())  # type: ignore[arg-type]
    await broken.wait()
    await asyncio.sleep(0)
    assert background.failed == ["the broken one"]
    assert "the broken one has died" in caplog.text
    await background.stop()
    assert background.failed == ["the broken one"]


async def test_a_pause_beyond_the_limit_is_told_of_for_a_while() -> None:
    clock = Clock()
    watchdog = Watchdog(limit=10, clock=clock)
    clock.now += 9
    watchdog.beat()
    assert watchdog.recent_stall is None
    clock.now += 12
    watchdog.beat()
    clock.now += 1
    watchdog.beat()
    assert watchdog.recent_stall == 12
    clock.now += 10
    watchdog.beat()
    assert watchdog.recent_stall is None


async def test_the_log_says_where_the_loop_stands_still(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    caplog.handler.addFilter(told)
    beating = asyncio.create_task(Watchdog(limit=0.05).run())
    await asyncio.sleep(0)
    stand_still_until(told)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    [line] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "stand_still_until" in str(line.__dict__)


class Told(logging.Filter):
    """Notices that something is written into the log."""

    is_told = False

    def filter(self, record: logging.LogRecord) -> bool:
        self.is_told = True
        return True


def stand_still_until(told: Told) -> None:
    deadline = time.monotonic() + 30
    while not told.is_told:
        assert time.monotonic() < deadline
