"""An engine that reads most pages and fails for chosen ones, each in its own way."""

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
