"""Headings at the size of the body text: bold, centred or numbered."""

from dataclasses import replace

import numpy as np
import pytest

from ocr_service.layout.compose import compose
from ocr_service.layout.markdown import to_markdown
from ocr_service.layout.pixels import compose_picture, with_bold
from tests.samples import ENGLISH, RUSSIAN, noisy
from tests.typesetting import LEFT, WIDTH, Sheet

MIDDLE = LEFT + WIDTH / 2


def contract(face: str, x: float, anchor: str) -> Sheet:
    sheet = Sheet()
    sheet.write("ДОГОВОР ОКАЗАНИЯ УСЛУГ", MIDDLE, 150, face="Serif-Bold", anchor="m")
    y = sheet.paragraph(RUSSIAN[0], 240)
    for number, title in enumerate(["Предмет договора", "Цена и порядок расчётов", "Ответственность сторон"]):
        sheet.write(f"{number + 1}. {title}", x, y + 20, face=face, anchor=anchor)
        y = sheet.paragraph(f"{number + 1}.1. {RUSSIAN[1]}", y + 80)
        y = sheet.paragraph(f"{number + 1}.2. {RUSSIAN[2]}", y)
    sheet.write("Адреса сторон", MIDDLE, y + 20, anchor="m")
    sheet.paragraph(RUSSIAN[3], y + 80)
    return sheet


HEADINGS = [
    "## ДОГОВОР ОКАЗАНИЯ УСЛУГ",
    "## 1. Предмет договора",
    "## 2. Цена и порядок расчётов",
    "## 3. Ответственность сторон",
    "## Адреса сторон",
]


@pytest.mark.parametrize(
    ("face", "x", "anchor"),
    [("Serif-Bold", LEFT, "l"), ("Serif-Regular", MIDDLE, "m"), ("Serif-Regular", LEFT, "l")],
    ids=["bold", "centred", "numbered"],
)
def test_headings_of_a_contract_at_body_size(face: str, x: float, anchor: str) -> None:
    sheet = contract(face, x, anchor)
    markdown = to_markdown(compose_picture(sheet.lines, np.asarray(sheet.image)).blocks)
    assert [line for line in markdown.split("\n\n") if line.startswith("#")] == HEADINGS


def bold_words(sheet: Sheet) -> list[str]:
    lines = with_bold(sheet.lines, np.asarray(sheet.image))
    return [word.text for line in lines for word in line.words if word.bold]


def test_bold_lines_are_found_by_their_pixels() -> None:
    for family in ("Serif", "Sans", "Mono"):
        sheet = Sheet()
        for number, text in enumerate(ENGLISH[:4]):
            sheet.write(text[:50], LEFT, 200 + 60 * number, face=f"{family}-Regular")
        sheet.write("Scope of the services", LEFT, 500, face=f"{family}-Bold")
        sheet.image = noisy(sheet.image)
        assert bold_words(sheet) == ["Scope", "of", "the", "services"]


def test_bold_titles_are_found_between_codes_and_numbers() -> None:
    """Tesseract measures codes too low, so the strokes of most of the page are wide in proportion."""
    sheet = Sheet()
    for number in range(12):
        title = {0: "Paper and envelopes", 6: "Equipment"}.get(number)
        y = 200 + 60 * number
        if title:
            sheet.write(title, LEFT, y, face="Sans-Bold")
        else:
            sheet.row([(f"NT-{number}455/D", LEFT, "l")], y, face="Sans-Regular")
            sheet.lines[-1] = replace(sheet.lines[-1], height=sheet.lines[-1].height * 0.8)
            sheet.row([(f"{number},243.23", 1400, "r")], y, face="Sans-Regular")
            sheet.lines[-1] = replace(sheet.lines[-1], height=sheet.lines[-1].height * 0.8)
            if number % 2:
                sheet.write("Wall clock", 800, y, face="Sans-Regular")
    assert bold_words(sheet) == ["Paper", "and", "envelopes", "Equipment"]


def test_page_in_bold_type_has_no_bold_headings() -> None:
    sheet = Sheet()
    for number, text in enumerate(ENGLISH):
        sheet.write(text[:60], LEFT, 200 + 90 * number, face="Serif-Bold")
    layout = compose_picture(sheet.lines, np.asarray(sheet.image))
    assert {block.label for block in layout.blocks} == {"text"}


def test_bold_line_begins_and_ends_a_paragraph() -> None:
    """Tesseract joins a heading with the paragraph below it if there is no gap."""
    sheet = Sheet()
    sheet.write("Conditions of delivery", LEFT, 200, face="Serif-Bold")
    sheet.paragraph(ENGLISH[1], 244)
    lines = [sheet.lines[0], *(line.of(line.words) for line in sheet.lines[1:])]
    labels = [block.label for block in compose_picture(lines, np.asarray(sheet.image)).blocks]
    assert labels == ["paragraph_title", "text"]


@pytest.mark.parametrize(
    "text",
    [
        "Рис. 1. Продажи по годам",
        "14.10.2026",
        "— 17 —",
        "на основании доверенности",
        "Москва, улица Новая, 10.",
    ],
)
def test_other_centred_lines_are_text(text: str) -> None:
    sheet = Sheet()
    sheet.paragraph(RUSSIAN[0], 200)
    sheet.write(text, MIDDLE, 400, anchor="m")
    sheet.paragraph(RUSSIAN[1], 500)
    blocks = compose(sheet.lines, sheet.size).blocks
    assert [block.label for block in blocks if block.label != "list"][1:] in (["text", "text"], ["text"])


def test_list_of_short_items_is_no_headings() -> None:
    sheet = Sheet()
    sheet.paragraph(RUSSIAN[0], 200)
    for number, item in enumerate(["Бумага", "Картриджи", "Скрепки"]):
        sheet.write(f"{number + 1}. {item}", LEFT, 420 + 50 * number)
    sheet.paragraph(RUSSIAN[1], 650)
    labels = [block.label for block in compose(sheet.lines, sheet.size).blocks]
    assert labels == ["text", "list", "text"]


def test_sentence_that_the_source_divided_is_one_paragraph() -> None:
    """Tesseract sometimes makes a block of each line."""
    sheet = Sheet()
    sheet.paragraph(ENGLISH[0], 200)
    for line in sheet.lines:
        object.__setattr__(line, "opens_block", True)
    [block] = compose(sheet.lines, sheet.size).blocks
    assert block.content == ENGLISH[0]
