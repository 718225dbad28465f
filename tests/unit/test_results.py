"""Readings of a page → its warnings."""

import pytest
from PIL import Image

from ocr_service.core.documents import Page, Word
from ocr_service.core.options import Options
from ocr_service.engines.tesseract.directions import Direction
from ocr_service.engines.tesseract.pictures import Correction, Picture
from ocr_service.engines.tesseract.reading import Reading
from ocr_service.engines.tesseract.results import page_result
from ocr_service.layout.words import Line

PAGE = Page(1, Image.new("L", (1000, 600), 255), 300)
PICTURE = Picture.of(PAGE)


def warnings_of(*words: tuple[str, float], picture: Picture = PICTURE) -> list[tuple[str, str]]:
    boxed = [
        Word(text, (100 * number, 100, 100 * number + 80, 130), confidence)
        for number, (text, confidence) in enumerate(words)
    ]
    reading = Reading(picture, [Line(tuple(boxed), (0, 100, 900, 130), 20, True, True)], Direction())
    return [
        (warning.code.value, warning.detail) for warning in page_result(PAGE, reading, Options()).warnings
    ]


@pytest.mark.parametrize("number", ["38400", "58,40", "№12", "17.03.2024"])
def test_number_of_low_confidence_is_doubtful(number: str) -> None:
    surer = [("Total", 0.95), ("amount", 0.95), ("due", 0.95)]
    assert [code for code, _ in warnings_of(*surer, (number, 0.55))] == ["numbers_doubtful"]
    assert warnings_of(*surer, (number, 0.8)) == []


def test_rows_that_were_not_read_are_told() -> None:
    line = Line((Word("Total", (100, 100, 180, 130), 0.95),), (0, 100, 900, 130), 20, True, True)
    result = page_result(PAGE, Reading(PICTURE, [line], Direction(), unread=2), Options())
    assert [warning.code.value for warning in result.warnings] == ["text_not_read"]


@pytest.mark.parametrize("other", ["word", "7", "B2B"])
def test_other_words_of_low_confidence_are_no_numbers(other: str) -> None:
    assert warnings_of(("Total", 0.95), ("amount", 0.95), ("due", 0.95), (other, 0.55)) == []


def test_corrections_are_named_once_in_their_order() -> None:
    lightened = PICTURE.with_grey(PICTURE.grey, Correction.LIGHTENED)
    rotated = lightened.rotated(2)
    assert rotated
    straight = rotated.with_grey(rotated.grey, Correction.LIGHTENED)
    [(code, detail)] = warnings_of(("Total", 0.95), picture=straight)
    assert code == "corrected"
    assert detail == "Before it was read, the page was lightened where it is dark and straightened."
