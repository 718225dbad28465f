"""An engine whose pages have a given confidence and given warnings."""

from collections.abc import Mapping
from dataclasses import replace

from ocr_service.core.documents import Page, PageResult, PageWarning
from ocr_service.core.options import Options
from tests.fakes.scripted_engine import ScriptedEngine


class QualityEngine(ScriptedEngine):
    """confidence, warnings: by the number of the page; other pages have none."""

    def __init__(
        self, confidence: Mapping[int, float], warnings: Mapping[int, tuple[PageWarning, ...]]
    ) -> None:
        super().__init__()
        self.confidence = confidence
        self.warnings = warnings

    async def recognize(self, page: Page, options: Options) -> PageResult:
        result = await super().recognize(page, options)
        return replace(
            result,
            confidence=self.confidence.get(page.index),
            warnings=self.warnings.get(page.index, ()),
        )
