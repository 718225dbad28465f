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


async def test_failed_task_is_logged_and_listed(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()
    broken = asyncio.Event()

    async def fail() -> None:
        broken.set()
        raise ValueError

    async def finish() -> None:
        await broken.wait()

    background.start("the broken one", fail())
    background.start("the finished one", finish())
    background.start("the running one", asyncio.Event().wait())  # type: ignore[arg-type]
    await broken.wait()
    await asyncio.sleep(0)
    assert background.failed == ["the broken one"]
    assert "the broken one has died" in caplog.text
    await background.stop()
    assert background.failed == ["the broken one"]


async def test_stall_beyond_the_limit_is_reported_for_a_while() -> None:
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


async def test_stall_is_logged_with_the_blocking_call(caplog: pytest.LogCaptureFixture) -> None:
    watcher, watchdog = LogWatcher(), Watchdog(limit=0.05)
    caplog.handler.addFilter(watcher)
    beating = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    block_until_logged(watcher, watchdog)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


class LogWatcher(logging.Filter):
    """Notices when the stall of this test is logged. Before it, a busy machine may have stopped the test."""

    has_logged = False

    def filter(self, record: logging.LogRecord) -> bool:
        self.has_logged |= record.levelno == logging.CRITICAL and "block_until_logged" in str(vars(record))
        return True


def block_until_logged(watcher: LogWatcher, watchdog: Watchdog) -> None:
    # A stall is logged once for each heartbeat.
    watchdog.beat()
    deadline = time.monotonic() + 120
    while not watcher.has_logged:
        assert time.monotonic() < deadline
