"""Searchable PDFs of an engine that has blocks and no words."""

import pypdfium2 as pdfium
import pytest

from tests.http.serving import serving
from tests.paddleocr_vl.conftest import StartEngine
from tests.paddleocr_vl.test_faults import scan
from tests.running import Vllm

pytestmark = pytest.mark.anyio


async def test_lines_of_blocks_are_in_the_pdf(vllm: Vllm, start_engine: StartEngine) -> None:
    async with start_engine(vllm) as engine, serving(engine) as client:
        file = scan(3)
        [read] = (await client.post("/ocr", files=file)).raise_for_status().json()["pages"]
        answer = await client.post("/ocr", files=file, data={"format": "pdf"})
    page = pdfium.PdfDocument(answer.raise_for_status().content)[0]
    scale = page.get_width() / read["width"]
    text, height = page.get_textpage(), page.get_height()
    assert len(read["blocks"]) == 3
    for block in read["blocks"]:
        left, top, right, bottom = (edge * scale for edge in block["bbox"])
        found = text.get_text_bounded(left - 1, height - bottom - 1, right + 1, height - top + 1)
        assert found.split() == block["content"].split()
