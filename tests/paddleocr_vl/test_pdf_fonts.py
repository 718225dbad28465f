"""A PDF whose font is not embedded: the picture that reaches the model shows its letters.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio

from PIL import Image

from tests.paddleocr_vl.forms import decoded, markdown_in_each_form
from tests.paddleocr_vl.peer import Both
from tests.pdf_fonts import INVOICE, by_differences, pdf_of_lines
from tests.samples import encoded
from tests.unit.test_pdf_fonts import difference, drawn_by_poppler

PDF = pdf_of_lines(["ArialMT", "TimesNewRomanPSMT"], INVOICE, by_differences)


def test_letters_of_a_font_that_is_not_embedded_reach_the_model(both: Both) -> None:
    page = asyncio.run(decoded(PDF))
    poppler = drawn_by_poppler(PDF, 144)
    assert difference(page.convert("L"), poppler) < 6 < difference(Image.new("L", page.size, 255), poppler)

    as_png, *_ = markdown_in_each_form(both.ours, encoded(page, "PNG"))
    assert markdown_in_each_form(both.ours, PDF) == [as_png] * 4
