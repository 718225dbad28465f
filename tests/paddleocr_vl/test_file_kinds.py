"""Rare kinds of files and truncated files: the page that reaches the model is the one in the file.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio

import pytest

from tests.file_kinds import truncated_jpeg, whole_files
from tests.paddleocr_vl.forms import decoded, markdown_in_each_form
from tests.paddleocr_vl.peer import Both
from tests.samples import encoded

FILES = {**whole_files(), "truncated JPEG": truncated_jpeg()}


@pytest.mark.parametrize("kind", FILES)
def test_rare_kind_of_file_reaches_the_model(both: Both, kind: str) -> None:
    page = asyncio.run(decoded(FILES[kind]))
    assert min(page.convert("L").tobytes()) < 50, "the line is drawn"
    as_png, *_ = markdown_in_each_form(both.ours, encoded(page, "PNG"))
    assert markdown_in_each_form(both.ours, FILES[kind]) == [as_png] * 4
