"""An engine that raises a given error for chosen pages and reads the others."""

from collections.abc import Mapping

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.scripted_engine import ScriptedEngine


class FaultyEngine(ScriptedEngine):
    def __init__(self, faults: Mapping[int, BaseException]) -> None:
        super().__init__()
        self.faults = faults

    async def recognize(self, page: Page, options: Options) -> PageResult:
        if page.index in self.faults:
            raise self.faults[page.index]
        return await super().recognize(page, options)
