"""A PDF whose font is not embedded: the picture that reaches the model shows its letters.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio

from PIL import Image

from ocr_service.decoding import Limits, open_document
from tests.paddleocr_vl.forms import markdown_in_each_form
from tests.paddleocr_vl.peer import Both
from tests.pdf_fonts import INVOICE, by_differences, pdf_of_lines
from tests.samples import encoded
from tests.unit.test_pdf_fonts import difference, drawn_by_poppler

PDF = pdf_of_lines(["ArialMT", "TimesNewRomanPSMT"], INVOICE, by_differences)
LIMITS = Limits(10_000_000, max_page_side=32_767)


async def drawn() -> Image.Image:
    async with open_document(PDF, dpi=144, mode="RGB", limits=LIMITS) as document:
        return (await document.page(1)).image


def test_letters_of_a_font_that_is_not_embedded_reach_the_model(both: Both) -> None:
    page = asyncio.run(drawn())
    poppler = drawn_by_poppler(PDF, 144)
    assert difference(page.convert("L"), poppler) < 6 < difference(Image.new("L", page.size, 255), poppler)

    as_png, *_ = markdown_in_each_form(both.ours, encoded(page, "PNG"))
    assert markdown_in_each_form(both.ours, PDF) == [as_png] * 4
