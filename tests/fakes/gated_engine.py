"""An engine in which each page waits until the test opens its gate, for tests of work in progress."""

import asyncio

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.scripted_engine import ScriptedEngine


class GatedEngine(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[int, asyncio.Event] = {}
        self.entered: asyncio.Queue[int] = asyncio.Queue()
        self.cancelled: asyncio.Queue[int] = asyncio.Queue()
        self.accepted: asyncio.Queue[Options] = asyncio.Queue()

    def open(self, index: int) -> None:
        self.gates.setdefault(index, asyncio.Event()).set()

    def check(self, options: Options) -> None:
        """Record the request: this is called once per request, right before its pages acquire slots."""
        self.accepted.put_nowait(options)

    async def recognize(self, page: Page, options: Options) -> PageResult:
        self.entered.put_nowait(page.index)
        try:
            await self.gates.setdefault(page.index, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.put_nowait(page.index)
            raise
        return await super().recognize(page, options)
