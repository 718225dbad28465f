"""Lines that touch letters, on typeset pages with real lines, read by the real Tesseract."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.languages import find_tessdata
from ocr_service.engines.tesseract.pictures import Correction, Picture
from ocr_service.engines.tesseract.reading import Reading
from ocr_service.engines.tesseract.touching_lines import without_touching_lines
from tests.typesetting import LEFT, SIZE, Sheet, font

TEXT = ["Паспорт серии 4512 выдан отделом", "Кузнецова Наталья Владимировна", "проживающая по адресу"]
# Places of lines, in pixels below the baseline of the letters.
ON_THE_BASELINE, BELOW, THROUGH = 0, 2, -8


def sheet_of(offset: int | None = None, face: str = "Serif-Regular") -> Sheet:
    """Write three lines of text, each with a line at this place."""
    sheet = Sheet((1000, 420))
    for number, text in enumerate(TEXT):
        sheet.write(text, LEFT, 100 + 70 * number, face=face)
        if offset is not None:
            y = 100 + 70 * number + font(face, SIZE).getmetrics()[0] + offset
            sheet.pen.line((LEFT, y, sheet.lines[-1].bbox[2], y), fill=0, width=2)
    return sheet


def picture_of(image: Image.Image) -> Picture:
    return Picture.of(Page(1, image, 200))


@pytest.fixture(scope="module")
def read() -> Callable[[Image.Image], Reading]:
    instances = Instances(find_tessdata())

    def read(image: Image.Image) -> Reading:
        reading = Attempts(instances, "rus", time.monotonic() + 300).best(picture_of(image), None)
        assert reading
        return reading

    return read


@pytest.mark.parametrize("offset", [ON_THE_BASELINE, BELOW])
def test_underlined_text_is_read(read: Callable[[Image.Image], Reading], offset: int) -> None:
    reading = read(sheet_of(offset).image)
    assert [line.text for line in reading.lines] == TEXT
    assert Correction.FREED in reading.picture.corrections


def test_struck_text_is_read_and_the_page_says_so(read: Callable[[Image.Image], Reading]) -> None:
    reading = read(sheet_of(THROUGH, face="Sans-Regular").image)
    # A four without its bar is a one.
    assert [line.text for line in reading.lines] == [TEXT[0].replace("4512", "1512"), *TEXT[1:]]
    assert Correction.FREED in reading.picture.corrections


def test_layout_sees_the_lines_as_they_can_be_those_of_a_table(
    read: Callable[[Image.Image], Reading],
) -> None:
    page = sheet_of(BELOW).image
    assert np.array_equal(read(page).picture.grey, np.asarray(page))


def test_strokes_that_cross_a_line_are_kept() -> None:
    free = without_touching_lines(picture_of(sheet_of(THROUGH).image))
    assert free
    clean, struck = (np.asarray(sheet.image) < 128 for sheet in (sheet_of(), sheet_of(THROUGH)))
    freed = free.grey < 128
    added = struck & ~clean
    assert np.count_nonzero(freed & added) < 0.1 * np.count_nonzero(added)
    assert np.count_nonzero(clean & ~freed) < 0.05 * np.count_nonzero(clean)


def ruled_table() -> Sheet:
    sheet = Sheet((1000, 420))
    sheet.table([["Товар", "Цена"], ["Бумага", "375,50"], ["Скобы", "12,00"]], 60, [500, 300], numbers=[1])
    return sheet


def empty_form() -> Sheet:
    sheet = Sheet((1000, 420))
    for y in (100, 170, 240):
        sheet.write("Фамилия", LEFT, y)
        sheet.pen.line((320, y + 30, 900, y + 30), fill=0, width=2)
    return sheet


def large_letters() -> Sheet:
    sheet = Sheet((1000, 420))
    sheet.write("ПГТ", LEFT, 60, size=110)
    return sheet


def descenders() -> Sheet:
    sheet = Sheet((1000, 420))
    sheet.write("руководитель группы", LEFT, 100)
    y = 100 + font("Serif-Regular", SIZE).getmetrics()[0] + 6
    sheet.pen.line((LEFT, y, 950, y), fill=0, width=2)
    return sheet


def dark_band() -> Sheet:
    sheet = sheet_of()
    sheet.pen.rectangle((0, 168, 999, 215), fill=150)
    sheet.write(TEXT[1], LEFT, 170)
    return sheet


@pytest.mark.parametrize("draw", [sheet_of, ruled_table, empty_form, large_letters, descenders, dark_band])
def test_other_lines_are_left(draw: Callable[[], Sheet]) -> None:
    assert without_touching_lines(picture_of(draw().image)) is None
