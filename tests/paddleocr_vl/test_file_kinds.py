"""Rare kinds of files and truncated files: the page that reaches the model is the one in the file.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio

import pytest
from PIL import Image

from ocr_service.decoding import Limits, open_document
from tests.file_kinds import truncated_jpeg, whole_files
from tests.paddleocr_vl.forms import markdown_in_each_form
from tests.paddleocr_vl.peer import Both
from tests.samples import encoded

LIMITS = Limits(100_000_000, max_page_side=1_000_000)
FILES = {**whole_files(), "truncated JPEG": truncated_jpeg()}


async def decoded(data: bytes) -> Image.Image:
    async with open_document(data, dpi=144, mode="RGB", limits=LIMITS) as document:
        return (await document.page(1)).image


@pytest.mark.parametrize("kind", FILES)
def test_rare_kind_of_file_reaches_the_model(both: Both, kind: str) -> None:
    page = asyncio.run(decoded(FILES[kind]))
    assert min(page.convert("L").tobytes()) < 50, "the line is drawn"
    as_png, *_ = markdown_in_each_form(both.ours, encoded(page, "PNG"))
    assert markdown_in_each_form(both.ours, FILES[kind]) == [as_png] * 4
