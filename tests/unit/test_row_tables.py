"""Rows without ruling lines: price lists, statements, receipts, and pages that only look like them."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from ocr_service.layout.compose import compose
from ocr_service.layout.markdown import to_markdown
from ocr_service.layout.pixels import compose_picture
from ocr_service.layout.words import Line
from tests.samples import ENGLISH, RUSSIAN
from tests.typesetting import LEFT, Sheet

Cells = list[tuple[str, float, str]]


def price_list() -> Sheet:
    sheet = Sheet()
    sheet.write("Прайс-лист", LEFT, 150, size=60)
    rows = [
        ("Наименование", "Ед.", "Цена, руб."),
        ("Бумага офисная, 500 листов", "пачка", "375,50"),
        ("Картридж лазерный", "шт.", "2 800,00"),
        ("Степлер", "шт.", "640,00"),
    ]
    for number, (name, unit, price) in enumerate(rows):
        sheet.row([(name, LEFT, "l"), (unit, 900, "l"), (price, 1450, "r")], 280 + 58 * number)
    sheet.paragraph(RUSSIAN[0], 600)
    return sheet


def statement() -> Sheet:
    sheet = Sheet()
    rows = [
        ("Date", "Description", "Amount", "Balance"),
        ("01.09.2026", "Opening balance", "", "1,204.50"),
        ("03.09.2026", "Card payment, Green Grocer Ltd", "-45.20", "1,159.30"),
        ("05.09.2026", "Salary", "2,400.00", "3,559.30"),
        ("09.09.2026", "Rent for the house, September 2026", "-950.00", "2,609.30"),
    ]
    for number, row in enumerate(rows):
        places = ((LEFT, "l"), (400, "l"), (1180, "r"), (1480, "r"))
        cells = [(text, x, anchor) for text, (x, anchor) in zip(row, places, strict=True) if text]
        sheet.row(cells, 280 + 54 * number)
    return sheet


def receipt() -> Sheet:
    sheet = Sheet((700, 900))
    rows = [
        ("Хлеб ржаной", "52,00"),
        ("Сыр российский", "245,60"),
        ("Кофе молотый", "399,00"),
        ("ИТОГО", "696,60"),
    ]
    for number, (name, price) in enumerate(rows):
        sheet.row([(name, 40, "l"), (price, 660, "r")], 220 + 50 * number)
    return sheet


def contents() -> Sheet:
    sheet = Sheet()
    for number, (name, page) in enumerate([("Введение", "3"), ("Методы", "25"), ("Выводы", "90")]):
        sheet.row([(name, LEFT, "l"), ("." * 80, 700, "m"), (page, 1450, "r")], 280 + 56 * number)
    return sheet


def wrapped_names() -> Sheet:
    sheet = Sheet()
    for number, price in enumerate(["12 500,00", "8 300,00", "9 990,00"]):
        y = 280 + 120 * number
        sheet.row([("Шкаф для документов", LEFT, "l"), (price, 1450, "r")], y)
        sheet.write("металлический", LEFT, y + 44, opens=False)
    sheet.row([("Всего", LEFT, "l"), ("30 790,00", 1450, "r")], 640)
    return sheet


ROWS: dict[Callable[[], Sheet], list[str]] = {
    price_list: [
        "Наименование\tЕд.\tЦена, руб.",
        "Бумага офисная, 500 листов\tпачка\t375,50",
        "Картридж лазерный\tшт.\t2 800,00",
        "Степлер\tшт.\t640,00",
    ],
    statement: [
        "Date\tDescription\tAmount\tBalance",
        "01.09.2026\tOpening balance\t\t1,204.50",
        "03.09.2026\tCard payment, Green Grocer Ltd\t-45.20\t1,159.30",
        "05.09.2026\tSalary\t2,400.00\t3,559.30",
        "09.09.2026\tRent for the house, September 2026\t-950.00\t2,609.30",
    ],
    receipt: ["Хлеб ржаной\t52,00", "Сыр российский\t245,60", "Кофе молотый\t399,00", "ИТОГО\t696,60"],
    contents: ["Введение\t3", "Методы\t25", "Выводы\t90"],
    wrapped_names: [
        "Шкаф для документов металлический\t12 500,00",
        "Шкаф для документов металлический\t8 300,00",
        "Шкаф для документов металлический\t9 990,00",
        "Всего\t30 790,00",
    ],
}


def by_columns(lines: list[Line]) -> list[Line]:
    """Return the lines as a source gives them that takes the columns for columns of text."""
    words = [(word, line) for line in lines for word in line.words]
    edges = (0, 380, 850, 1000, 1250, 5000)
    columns = [
        [line.of([w]) for w, line in words if left <= w.bbox[0] < right] for left, right in pairwise(edges)
    ]
    return [line for column in columns for line in column]


@pytest.mark.parametrize("draw", ROWS, ids=lambda draw: draw.__name__)
def test_rows_stay_rows(draw: Callable[[], Sheet]) -> None:
    sheet = draw()
    layout = compose(sheet.lines, sheet.size)
    assert [block.label for block in layout.blocks].count("table") == 1
    assert "\n".join(ROWS[draw]) in layout.text


@pytest.mark.parametrize("draw", [statement, receipt], ids=lambda draw: draw.__name__)
def test_rows_that_were_read_column_by_column_are_rows_again(draw: Callable[[], Sheet]) -> None:
    sheet = draw()
    layout = compose(by_columns(sheet.lines), sheet.size)
    assert "\n".join(ROWS[draw]) in layout.text


def columns_of_text() -> Sheet:
    sheet = Sheet()
    for x in (150, 870):
        for number, text in enumerate(ENGLISH[:3]):
            sheet.paragraph(text, 280 + 300 * number, x=x, width=630)
    return sheet


def columns_with_numbers() -> Sheet:
    """Columns of text whose baselines differ, with a number at the end of lines."""
    sheet = Sheet()
    for x, y in ((150, 280), (870, 300)):
        for number in range(6):
            sheet.write(f"In the year {1900 + number} the town had {number * 731}", x, y + 44 * number)
    return sheet


def addresses() -> Sheet:
    sheet = Sheet()
    for x, lines in (
        (150, ["ИСПОЛНИТЕЛЬ", "ООО «Ромашка»", "Москва, ул. Новая, д. 10"]),
        (870, ["ЗАКАЗЧИК", "Иванов Пётр Сергеевич", "Казань, ул. Мира, д. 4"]),
    ):
        for number, text in enumerate(lines):
            sheet.write(text, x, 300 + 44 * number, opens=number == 0)
    return sheet


def hanging_numbers() -> Sheet:
    sheet = Sheet()
    for number, text in enumerate(["Первый пункт", "Второй пункт", "Третий пункт", "Четвёртый пункт"]):
        sheet.row([(f"{number + 1}.", LEFT, "l"), (text, LEFT + 120, "l")], 280 + 50 * number)
    return sheet


def letter() -> Sheet:
    sheet = Sheet()
    for number, text in enumerate(["Alice Brown", "14 Harbour Street", "Bristol BS1 4QA"]):
        sheet.write(text, 1100, 150 + 44 * number)
    sheet.write("14 October 2026", 150, 340)
    sheet.paragraph(ENGLISH[0], 500)
    return sheet


@pytest.mark.parametrize("draw", [columns_of_text, columns_with_numbers, addresses, hanging_numbers, letter])
def test_other_pages_have_no_table(draw: Callable[[], Sheet]) -> None:
    sheet = draw()
    layout = compose(sheet.lines, sheet.size)
    assert "table" not in [block.label for block in layout.blocks]
    words = [word.text for line in sheet.lines for word in line.words]
    assert layout.text.split() == words, "the order is that of the source"


def test_no_word_of_a_row_is_lost_except_leaders() -> None:
    for draw in ROWS:
        sheet = draw()
        words = [word.text for line in sheet.lines for word in line.words if not word.text.startswith("...")]
        assert sorted(compose(sheet.lines, sheet.size).text.split()) == sorted(words)


def test_title_inside_a_table_is_one_cell() -> None:
    sheet = Sheet()
    rows: list[Cells] = [
        [("Хлеб", LEFT, "l"), ("шт.", 800, "l"), ("52,00", 1450, "r")],
        [("Молочные продукты и сыры местных хозяйств, свежие", LEFT, "l")],
        [("Молоко", LEFT, "l"), ("л", 800, "l"), ("89,90", 1450, "r")],
        [("Сыр", LEFT, "l"), ("кг", 800, "l"), ("645,60", 1450, "r")],
    ]
    for number, cells in enumerate(rows):
        sheet.row(cells, 280 + 58 * number)
    [table] = compose(sheet.lines, sheet.size).blocks
    assert (
        '<tr><td colspan="2">Молочные продукты и сыры местных хозяйств, свежие</td><td></td></tr>'
        in table.content
    )


def test_bold_titles_of_groups_are_rows_of_the_table() -> None:
    sheet = Sheet()
    groups = {"Бумага": [("А4", "375,50"), ("А3", "812,00")], "Мебель & свет": [("Стул", "4 200,00")]}
    sheet.row([("Товар", LEFT, "l"), ("Цена", 1450, "r")], 280, face="Serif-Bold")
    y = 280
    for title, rows in groups.items():
        sheet.row([(title, LEFT, "l")], y := y + 64, face="Serif-Bold")
        for name, price in rows:
            sheet.row([(name, LEFT, "l"), (price, 1450, "r")], y := y + 58)
    sheet.row([("Без скидки", LEFT, "l")], y := y + 58)
    sheet.row([("Лампа", LEFT, "l"), ("990,00", 1450, "r")], y + 58)
    layout = compose_picture(sheet.lines, np.asarray(sheet.image))
    [table] = layout.blocks
    assert "<tr><td><b>Мебель &amp; свет</b></td><td></td></tr>" in table.content
    assert to_markdown(layout.blocks).split("\n") == [
        "| Товар | Цена |",
        "|---|---|",
        "| **Бумага** |  |",
        "| А4 | 375,50 |",
        "| А3 | 812,00 |",
        "| **Мебель & свет** |  |",
        "| Стул | 4 200,00 |",
        "| Без скидки |  |",
        "| Лампа | 990,00 |",
    ]
    assert "Мебель & свет\t\nСтул\t4 200,00\n" in layout.text


def test_table_that_is_bold_has_no_titles() -> None:
    sheet = Sheet()
    rows: list[Cells] = [[(f"{number},00", LEFT, "l"), (f"{number}", 1450, "r")] for number in range(40, 46)]
    rows.insert(3, [("Итого", LEFT, "l")])
    for number, cells in enumerate(rows):
        sheet.row(cells, 280 + 58 * number, face="Serif-Bold")
    y = sheet.paragraph(RUSSIAN[0], 900)
    sheet.paragraph(RUSSIAN[1], y + 60)
    layout = compose_picture(sheet.lines, np.asarray(sheet.image))
    assert "<td>Итого</td>" in layout.blocks[0].content


def test_text_above_rows_that_were_read_between_their_columns_stays_above() -> None:
    """Tesseract reads the names of a form, then its title, then the values."""
    sheet = Sheet()
    for number, name in enumerate(["Имя:", "Город:", "Телефон:"]):
        sheet.write(name, LEFT, 300 + 80 * number)
    sheet.write("14.10.2026", LEFT, 700)
    sheet.write("Заявление", 600, 150)
    for number, value in enumerate(["Иванов Пётр", "Казань", "не указан"]):
        sheet.write(value, 800, 300 + 80 * number)
    layout = compose(sheet.lines, sheet.size)
    assert layout.text.split("\n\n") == [
        "Заявление",
        "Имя:\tИванов Пётр\nГород:\tКазань\nТелефон:\tне указан",
        "14.10.2026",
    ]
