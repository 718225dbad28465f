"""Rare kinds of files and truncated files: the page that reaches the model is the one in the file.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio
from base64 import b64encode

import pytest
from PIL import Image

from ocr_service.decoding import Limits, open_document
from tests.file_kinds import truncated_jpeg, whole_files
from tests.paddleocr_vl.peer import Both
from tests.samples import encoded

LIMITS = Limits(100_000_000, max_page_side=1_000_000)
FILES = {**whole_files(), "truncated JPEG": truncated_jpeg()}


async def decoded(data: bytes) -> Image.Image:
    async with open_document(data, dpi=144, mode="RGB", limits=LIMITS) as document:
        return (await document.page(1)).image


@pytest.mark.parametrize("kind", ["JPEG 2000", "AVIF", "PDF in user units", "truncated JPEG"])
def test_rare_kind_of_file_reaches_the_model(both: Both, kind: str) -> None:
    page = asyncio.run(decoded(FILES[kind]))
    assert min(page.convert("L").tobytes()) < 50, "the line is drawn"

    def read(file: bytes) -> list[str]:
        fields = {"use_layout_detection": "false", "format": "text"}
        text = both.ours.post("/ocr", files={"file": file}, data=fields).raise_for_status().text
        body = {"file": b64encode(file).decode(), "useLayoutDetection": False, "visualize": False}
        answer = both.ours.post("/layout-parsing", json=body).raise_for_status().json()
        return [text, answer["result"]["layoutParsingResults"][0]["markdown"]["text"]]

    assert read(FILES[kind]) == read(encoded(page, "PNG"))
