"""Running heads, running feet and page numbers."""

import pytest

from ocr_service.core.documents import Block
from ocr_service.layout.compose import compose
from tests.samples import ENGLISH, RUSSIAN
from tests.typesetting import LEFT, WIDTH, Sheet

RIGHT, MIDDLE = LEFT + WIDTH, LEFT + WIDTH / 2
HEADS = ("header", "footer", "number")
BOTTOM = 2200


def page() -> Sheet:
    sheet = Sheet()
    y = 300.0
    for text in (*RUSSIAN, *ENGLISH):
        y = sheet.paragraph(text, y) + 20
    return sheet


def heads(sheet: Sheet) -> list[tuple[str, str]]:
    layout = compose(sheet.lines, sheet.size)
    assert sorted(layout.text.split()) == sorted(word.text for line in sheet.lines for word in line.words)
    return [(block.label, block.content) for block in layout.blocks if block.label in HEADS]


@pytest.mark.parametrize("number", ["17", "— 17 —", "Стр. 3 из 12", "Page 4", "xii", "22/63", "[5]"])
def test_page_number_is_found(number: str) -> None:
    sheet = page()
    sheet.write(number, MIDDLE, BOTTOM, anchor="m")
    assert heads(sheet) == [("number", number)]


def test_running_head_with_the_page_number() -> None:
    sheet = page()
    sheet.row([("Глава 4. Справочник", LEFT, "l"), ("15", RIGHT, "r")], 150)
    assert heads(sheet) == [("header", "Глава 4. Справочник"), ("number", "15")]


def test_running_head_on_a_page_with_a_number_below() -> None:
    sheet = page()
    sheet.row([("Oakfield Instruments plc", LEFT, "l"), ("Annual Report", RIGHT, "r")], 150)
    sheet.write("Page 61", RIGHT, BOTTOM, anchor="r")
    assert heads(sheet) == [
        ("header", "Oakfield Instruments plc"),
        ("header", "Annual Report"),
        ("number", "Page 61"),
    ]


def test_running_heads_in_small_type() -> None:
    sheet = page()
    sheet.write("Годовой отчёт", LEFT, 150, size=24)
    sheet.write("ООО «Ромашка»", LEFT, BOTTOM, size=24)
    assert heads(sheet) == [("header", "Годовой отчёт"), ("footer", "ООО «Ромашка»")]


def test_order_and_text_have_the_running_heads() -> None:
    sheet = page()
    sheet.row([("Глава 4", LEFT, "l"), ("15", RIGHT, "r")], 150)
    layout = compose(sheet.lines, sheet.size)
    assert layout.text.startswith("Глава 4 15\n\nНастоящий")
    first: Block = layout.blocks[0]
    assert (first.order, first.label) == (1, "header")


@pytest.mark.parametrize(
    ("text", "y"),
    [
        ("Договор оказания услуг", 150),
        ("14 октября 2026", 150),
        ("2026", BOTTOM),
        ("1 См. приложение к договору", BOTTOM),
        ("Генеральный директор Иванов", BOTTOM),
        ("696,60", BOTTOM),
    ],
)
def test_other_text_at_the_edge_of_a_page_is_text(text: str, y: int) -> None:
    sheet = page()
    size = 24 if text.startswith("1 ") else 33
    sheet.write(text, LEFT, y, size=size)
    assert heads(sheet) == []


def test_title_in_large_type_is_no_running_head() -> None:
    sheet = page()
    sheet.write("Report", LEFT, 120, size=60)
    assert heads(sheet) == []


def test_last_row_of_a_table_is_no_running_foot() -> None:
    sheet = Sheet()
    rows = [("Хлеб", "52"), ("Сыр", "245"), ("Кофе", "399"), ("Молоко", "89"), ("Всего", "785")]
    for number, (name, price) in enumerate(rows * 2):
        sheet.row([(name, LEFT, "l"), (price, RIGHT, "r")], BOTTOM - 80 * (9 - number))
    assert heads(sheet) == []


def test_short_page_has_no_running_heads() -> None:
    sheet = Sheet((700, 900))
    sheet.write("5", 350, 50, anchor="m")
    for number in range(4):
        sheet.write("Хлеб ржаной свежий", 40, 220 + 50 * number)
    assert heads(sheet) == []
