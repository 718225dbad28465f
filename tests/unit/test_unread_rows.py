"""Rows of text that no word covers, on typeset pages, read by the real Tesseract."""

import time
from collections.abc import Callable
from random import Random

import pytest

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.directions import Direction
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.languages import find_tessdata
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.reading import Reading
from ocr_service.engines.tesseract.unread import unread_rows, with_unread_rows
from ocr_service.layout.words import Line
from tests.typesetting import LEFT, SIZE, Sheet, font

TEXT = ["The first paragraph of a letter", "The goods arrived on Thursday", "The last line of the page"]


def letter(between: Callable[[Sheet, int], None] | None = None) -> Sheet:
    """Write three lines; between: draws what is on the page at a height between the first two."""
    sheet = Sheet((1000, 420))
    for number, text in enumerate(TEXT):
        sheet.write(text, LEFT, (60, 200, 270)[number])
    if between:
        between(sheet, 130)
    return sheet


def band_across(sheet: Sheet, y: int) -> None:
    """Draw a grey band that ends within the letters of the second line."""
    sheet.image.paste(120, (0, y, 1000, 212), sheet.image.crop((0, y, 1000, 212)))


def picture_of(sheet: Sheet) -> Picture:
    return Picture.of(Page(1, sheet.image, 200))


def reading_of(sheet: Sheet, lines: list[Line]) -> Reading:
    read = Reading(picture_of(sheet), lines, Direction())
    return with_unread_rows(Instances(find_tessdata()), "eng", read, time.monotonic() + 300)


@pytest.mark.parametrize("missing", range(3))
@pytest.mark.parametrize("between", [None, band_across])
def test_line_that_was_lost_is_read_in_its_place(
    missing: int, between: Callable[[Sheet, int], None] | None
) -> None:
    sheet = letter(between)
    known = [line for number, line in enumerate(sheet.lines) if number != missing]
    reading = reading_of(sheet, known)
    assert [line.text for line in reading.lines] == TEXT
    assert reading.unread == 0
    box, expected = reading.lines[missing].bbox, sheet.lines[missing].bbox
    assert all(abs(a - b) <= SIZE / 4 for a, b in zip(box, expected, strict=True))


def test_pale_line_beside_black_text_is_read() -> None:
    sheet = letter()
    sheet.pen.text((LEFT, 340), "Limits of liability", fill=235, font=font("Serif-Regular", SIZE))
    reading = Attempts(Instances(find_tessdata()), "eng", time.monotonic() + 300).best(
        picture_of(sheet), None
    )
    assert reading
    assert [line.text for line in reading.lines] == [*TEXT, "Limits of liability"]


def test_lost_part_of_a_line_follows_the_words_at_its_left() -> None:
    sheet = Sheet((1000, 420))
    for number in range(2):
        sheet.row([("Account number", LEFT, "l"), ("overdrawn since March", 520, "l")], 100 + 100 * number)
    known = [line.of(line.words[:2]) for line in sheet.lines]
    found = [line.text for line in reading_of(sheet, known).lines]
    assert found == ["Account number", "overdrawn since March"] * 2


def scribbles(sheet: Sheet, y: int) -> None:
    """Draw strokes in the size of letters that are none."""
    random = Random(3)
    for x in range(LEFT, 700, 22):
        sheet.pen.line(
            [(x + random.randrange(16), y + random.randrange(24)) for _ in range(5)], fill=0, width=3
        )


def test_row_that_cannot_be_read_is_counted() -> None:
    sheet = letter(scribbles)
    reading = reading_of(sheet, sheet.lines)
    assert reading.unread == 1
    assert [line.text for line in reading.lines if line in sheet.lines] == TEXT


def rules(sheet: Sheet, y: int) -> None:
    for height in (0, 6, 40):
        sheet.pen.line((LEFT, y + height, 900, y + height), fill=0, width=3)
    for x in range(LEFT, 900, 100):
        sheet.pen.line((x, y, x, y + 40), fill=0, width=2)


def dashes(sheet: Sheet, y: int) -> None:
    for x in range(LEFT, 900, 30):
        sheet.pen.line((x, y, x + 18, y), fill=0, width=3)


def dust(sheet: Sheet, y: int) -> None:
    random = Random(1)
    for _ in range(300):
        sheet.image.putpixel((random.randrange(1000), random.randrange(y, 190)), 0)


def picture(sheet: Sheet, y: int) -> None:
    sheet.pen.ellipse((LEFT, y - 30, LEFT + 90, y + 60), outline=0, width=4)
    sheet.pen.rectangle((600, y - 20, 760, y + 50), fill=90)


@pytest.mark.parametrize("between", [None, band_across, rules, dashes, dust, picture])
def test_other_ink_is_no_row(between: Callable[[Sheet, int], None] | None) -> None:
    sheet = letter(between)
    assert unread_rows(picture_of(sheet), sheet.lines) == []
