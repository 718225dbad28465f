"""A job that is cancelled while Tesseract reads a page that takes many minutes."""

import asyncio
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.processes import cpu_seconds_of_tree
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.engines.tesseract.engine import TesseractEngine
from ocr_service.engines.tesseract.settings import TesseractSettings
from tests.http.jobs import submitted
from tests.http.serving import serving
from tests.samples import ENGLISH, printed_page

pytestmark = pytest.mark.anyio


class CountedTesseract(TesseractEngine):
    """Reads one page at a time. entered: gets an item for each page."""

    def __init__(self) -> None:
        super().__init__(TesseractSettings(lang="eng", threads=1), page_seconds=3000)
        self.entered: asyncio.Queue[int] = asyncio.Queue()

    async def recognize(self, page: Page, options: Options) -> PageResult:
        self.entered.put_nowait(page.index)
        return await super().recognize(page, options)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


async def test_cancelled_job_frees_the_place_of_its_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 2, (8000, 8000), np.uint8) * np.uint8(255)
    readable = png(printed_page(ENGLISH[:1], size=(1800, 500)).image)
    engine = CountedTesseract()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, png(Image.fromarray(noise).convert("1")), rotate="0")
        async with asyncio.timeout(240):
            await engine.entered.get()
            begun = cpu_seconds_of_tree(os.getpid())
            while cpu_seconds_of_tree(os.getpid()) < begun + 2:
                await asyncio.sleep(0.05)
            assert (await client.delete(f"/jobs/{job}")).json()["state"] == "cancelled"
            answer = await client.post("/ocr", files={"file": readable}, timeout=120)
    assert "harbour" in answer.json()["text"] and engine.entered.qsize() == 1
