"""Cyrillic words in English lines and in addresses are read again, as they are drawn."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.languages import find_tessdata
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.second_language import with_latin_words
from ocr_service.layout.words import Line, Word, enclosing
from tests.samples import SERIF

FONT = ImageFont.truetype(SERIF, 46)


@pytest.fixture(scope="module")
def instances() -> Instances:
    return Instances(Path(find_tessdata()))


def read_as(drawn: str, read: str) -> tuple[Picture, Line]:
    """Draw a line, and return it with the words of `read` in its places."""
    image = Image.new("L", (1800, 160), 255)
    pen = ImageDraw.Draw(image)
    words, x = [], 60.0
    for word, wrong in zip(drawn.split(), read.split(), strict=True):
        pen.text((x, 50), word, font=FONT, fill=0)
        left, top, right, bottom = FONT.getbbox(word)
        box = round(x + left), round(50 + top), round(x + right), round(50 + bottom)
        words.append(Word(wrong, box, 0.9 if wrong == word else 0.6))
        x += FONT.getlength(f"{word} ")
    line = Line(tuple(words), enclosing(word.bbox for word in words), 24, True, True)
    return Picture.of(Page(1, image, 300)), line


@pytest.mark.parametrize(
    ("drawn", "read"),
    [
        ("the harbour was quiet when the first boats", "Ше harbour маз quiet when the first boats"),
        ("open 9:00 AM to 6:00 PM every day", "open 9:00 AM to 6:00 РМ every day"),
        ("Page of unique words", "Раде of unique мгогаз"),
        ("The Russian word договор means contract", "The Russian word договор means contract"),
        ("Подключите кабель USB к порту", "Подключите кабель USB к порту"),
        ("пишите на адрес doyle@example.com сегодня", "пишите на адрес доуПе@ехатр1е.сот сегодня"),
        ("Print the page on А4 paper", "Print the page on А4 paper"),
    ],
)
def test_cyrillic_word_in_an_english_line_or_an_address_is_read_again(
    instances: Instances, drawn: str, read: str
) -> None:
    picture, line = read_as(drawn, read)
    [corrected] = with_latin_words(instances, "rus+eng", picture, [line])
    assert corrected.text == drawn
    [unchanged] = with_latin_words(instances, "eng", picture, [line])
    assert unchanged is line


def test_line_of_letters_that_look_alike_is_read_as_its_page(instances: Instances) -> None:
    drawn = "BANANA PAGE"
    # As Tesseract reads it: there is no N and no G in the Russian alphabet.
    picture, line = read_as(drawn, "ВАМАМА РАСЕ")
    _, english = read_as("words of the page", "words of the page")
    _, russian = read_as("слова этой страницы", "слова этой страницы")
    assert with_latin_words(instances, "rus+eng", picture, [line, english])[0].text == drawn
    assert with_latin_words(instances, "rus+eng", picture, [line, russian])[0] == line


def test_russian_word_beside_a_name_stays_on_a_russian_page(instances: Instances) -> None:
    # The Latin reading is as sure here, and wrong.
    picture, line = read_as("Page naxer.manpages", "Файл naxer.manpages")
    _, russian = read_as("слова этой страницы", "слова этой страницы")
    assert with_latin_words(instances, "rus+eng", picture, [line, russian])[0] == line
