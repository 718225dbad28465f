"""Words that only the reading with the lower score has."""

import numpy as np
import pytest
from PIL import Image

from ocr_service.core.documents import Page, Word
from ocr_service.engines.tesseract.directions import Direction
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.reading import Reading
from ocr_service.layout.words import Line, enclosing

PICTURE = Picture.of(Page(1, Image.new("L", (1000, 600), 255), 300))
TOTAL = Word("Total", (100, 100, 200, 130), 0.95)
AMOUNT = Word("38400", (700, 100, 800, 130), 0.95)


def reading(*words: Word, picture: Picture = PICTURE) -> Reading:
    lines = [Line(words, enclosing(word.bbox for word in words), 20, True, True)] if words else []
    return Reading(picture, lines, Direction())


def test_word_of_the_other_reading_is_missing() -> None:
    chosen = reading(TOTAL).chosen_over(reading(TOTAL, AMOUNT))
    assert chosen.missing.tolist() == [[750, 115]]
    assert reading().chosen_over(reading(TOTAL)).missing.tolist() == [[150, 115]]


def test_word_that_a_later_reading_has_is_not_missing() -> None:
    chosen = reading(TOTAL).chosen_over(reading(AMOUNT))
    assert len(reading(TOTAL, AMOUNT).chosen_over(chosen).missing) == 0
    assert len(reading(TOTAL).chosen_over(reading()).missing) == 0


@pytest.mark.parametrize("doubtful", [Word("38400", AMOUNT.bbox, 0.6), Word("l|", AMOUNT.bbox, 0.95)])
def test_doubtful_and_short_words_do_not_count(doubtful: Word) -> None:
    assert len(reading(TOTAL).chosen_over(reading(TOTAL, doubtful)).missing) == 0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_places_are_compared_on_the_page(turn: int) -> None:
    turned = PICTURE.turned(turn)
    x, y, _ = (round(value) for value in np.linalg.inv(turned.to_page) @ [750, 115, 1])
    moved = Word("38400", (x - 20, y - 20, x + 20, y + 20), 0.95)
    assert len(reading(moved, picture=turned).chosen_over(reading(AMOUNT)).missing) == 0
