"""Tesseract in processes: several pages at once, cancelled pages, crashes and limits."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.processes import children, command_line, cpu_seconds_of_tree
from ocr_service.core.documents import Page
from ocr_service.core.errors import RecognitionFailed
from ocr_service.core.options import Options
from ocr_service.engines.tesseract.engine import TesseractEngine
from ocr_service.engines.tesseract.languages import find_tessdata
from ocr_service.engines.tesseract.settings import TesseractSettings
from ocr_service.telemetry import metrics
from tests.samples import ENGLISH, RUSSIAN, printed_page

pytestmark = pytest.mark.anyio


@cache
def noise() -> Image.Image:
    """Tesseract looks for lines in it for many minutes, and does not look at the clock meanwhile."""
    random = np.random.default_rng(1)
    return Image.fromarray(random.integers(0, 2, (8000, 8000), np.uint8) * np.uint8(255))


def engine(page_seconds: float = 3000, **settings: Any) -> TesseractEngine:
    return TesseractEngine(TesseractSettings(**settings), page_seconds)


@pytest.fixture
async def one_at_a_time() -> AsyncIterator[TesseractEngine]:
    tesseract = engine(lang="eng", threads=1)
    await tesseract.start()
    yield tesseract
    await tesseract.close()


def english_page() -> Page:
    return Page(1, printed_page(ENGLISH[:1], size=(1800, 500)).image, 300)


def lost(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("ocr_recognizers_lost_total", {"reason": reason}) or 0


def workers() -> list[int]:
    """Return the process numbers of the workers of this process, and not of a service that it runs."""
    servers = [pid for pid in children(os.getpid()) if b"tesseract.worker" in command_line(pid)]
    return [worker for server in servers for worker in children(server)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.02)


async def busy(pages: list[asyncio.Task[Any]]) -> list[int]:
    """Return the workers once each of them has read its page for a while."""
    await until(lambda: len(workers()) == len(pages) and all(map(has_worked, workers())))
    return workers()


def has_worked(pid: int) -> bool:
    with suppress(OSError):  # a worker of an earlier test has ended
        return cpu_seconds_of_tree(pid) > 1
    return False


async def test_place_of_a_cancelled_page_is_free_at_once(one_at_a_time: TesseractEngine) -> None:
    page = asyncio.create_task(one_at_a_time.recognize(Page(1, noise(), 300), Options()))
    await busy([page])
    before = lost("stopped")
    page.cancel()
    with pytest.raises(asyncio.CancelledError):
        await page
    async with asyncio.timeout(120):
        result = await one_at_a_time.recognize(english_page(), Options())
    assert "harbour" in result.text
    assert lost("stopped") == before + 1


async def test_crash_is_the_error_of_one_page(one_at_a_time: TesseractEngine) -> None:
    page = asyncio.create_task(one_at_a_time.recognize(Page(7, noise(), 300), Options()))
    [pid] = await busy([page])
    before = lost("died")
    os.kill(pid, signal.SIGSEGV)
    with pytest.raises(RecognitionFailed, match="page 7"):
        await page
    assert "harbour" in (await one_at_a_time.recognize(english_page(), Options())).text
    assert lost("died") == before + 1


async def test_pages_are_read_at_the_same_time() -> None:
    tesseract = engine(lang="eng", threads=3)
    await tesseract.start()
    assert tesseract.max_pages_in_flight > 3
    pages = [asyncio.create_task(tesseract.recognize(Page(n, noise(), 300), Options())) for n in (1, 2, 3)]
    await busy(pages)
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    await tesseract.close()
    await until(lambda: not workers())


async def test_page_beyond_the_time_limit_fails() -> None:
    tesseract = engine(page_seconds=0.02)
    await tesseract.start()
    with pytest.raises(RecognitionFailed, match="in time"):
        await tesseract.recognize(Page(1, printed_page(RUSSIAN).image, 300), Options())
    await tesseract.close()


async def test_language_data_in_another_folder(tmp_path: Path) -> None:
    """A worker loads further languages after its sandbox is closed."""
    for name in ("eng", "rus"):
        shutil.copy(find_tessdata() / f"{name}.traineddata", tmp_path)
    tesseract = engine(lang="rus", tessdata_dir=tmp_path)
    await tesseract.start()
    assert "harbour" in (await tesseract.recognize(english_page(), Options(lang="eng"))).text
    await tesseract.close()


async def test_tesseract_writes_nothing_to_standard_error(
    capfd: pytest.CaptureFixture[str], one_at_a_time: TesseractEngine
) -> None:
    """It has remarks on these pages, but the sandbox forbids to open a file for them."""
    before = lost("died")
    mirrored = ImageOps.mirror(english_page().image)
    for image in (Image.new("L", (300, 200), 255), mirrored):
        await one_at_a_time.recognize(Page(1, image, None), Options())
    assert capfd.readouterr().err == ""
    assert lost("died") == before
