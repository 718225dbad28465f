import asyncio

import pytest
from PIL import Image

from ocr_service.admission.admission import Admission, Bounds
from ocr_service.admission.page_queue import PageSlot
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.errors import BrokenDocument
from ocr_service.core.options import Options
from ocr_service.pipeline.page_tasks import PageTasks
from ocr_service.pipeline.recent_pages import RecentPages
from tests.fakes.scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio


class SizelessDocument:
    """A document of three pages; the size of the second cannot be determined."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def pixels(self, index: int) -> int:
        if index == 2:
            raise self._error
        return 4

    async def page(self, index: int, slot: PageSlot) -> Page:
        return Page(index, Image.new("L", (2, 2)), None)

    async def text_layer(self, index: int) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "code"),
    [(BrokenDocument("Damaged."), "broken_document"), (ZeroDivisionError(), "recognition_failed")],
    ids=["expected", "unexpected"],
)
async def test_size_error_fails_only_its_page(error: Exception, code: str) -> None:
    admission = Admission(Bounds(pages=2, pixels=100, document_bytes=1, waiting=1, seconds=60))
    recent = RecentPages()
    queue = admission.page_queue(3)
    tasks = PageTasks(SizelessDocument(error), [1, 2, 3], Options(), ScriptedEngine(), queue, recent)
    async with asyncio.timeout(120):
        pages: list[PageResult] = [page async for page in tasks.results()]
    failures = {page.index: page.failure and page.failure.code for page in pages}
    assert failures == {1: None, 2: code, 3: None}
    assert admission.slots.pages_taken == 0
    assert sorted(page.index for page in recent.pages if page.failed) == [2]
