"""An engine that blocks a thread per page until the test releases it, even after the client disconnects."""

import asyncio
import threading

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.runtime.threads import Workers
from tests.fakes.scripted_engine import ScriptedEngine


class ThreadedEngine(ScriptedEngine):
    max_pages_in_flight = 1

    def __init__(self) -> None:
        super().__init__()
        self.entered: asyncio.Queue[int] = asyncio.Queue()
        self.go_on = threading.Event()
        self._workers = Workers(2, "test")

    async def recognize(self, page: Page, options: Options) -> PageResult:
        self.entered.put_nowait(page.index)
        await self._workers.run(self.go_on.wait, 120)
        return await super().recognize(page, options)

    async def close(self) -> None:
        self._workers.close()
