"""Ruled tables: lines in the pixels of a page, cells, and their text."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ocr_service.layout.compose import PageLayout, compose
from ocr_service.layout.grids import find_grids
from ocr_service.layout.pixels import find_rulings
from ocr_service.layout.rulings import Rulings, Segment
from ocr_service.layout.words import Line, Word
from tests.samples import ENGLISH, RUSSIAN, noisy, rotated
from tests.typesetting import LEFT, MERGED_LEFT, MERGED_UP, WIDTH, Sheet

ENDS = [LEFT, LEFT + WIDTH]


def invoice() -> Sheet:
    sheet = Sheet()
    sheet.write("Счёт на оплату № 1284", LEFT, 150, size=44)
    rows = [
        ["№", "Товар", "Кол-во", "Цена", "Сумма"],
        ["1", "Бумага офисная А4", "120", "375,50", "45 060,00"],
        ["2", "Картридж лазерный", "14", "2 800,00", "39 200,00"],
        ["Итого к оплате", MERGED_LEFT, MERGED_LEFT, MERGED_LEFT, "84 260,00"],
    ]
    y = sheet.table(rows, 300, [90, 640, 140, 200, 240], numbers=[2, 3, 4])
    sheet.paragraph(RUSSIAN[0], y + 60)
    return sheet


def two_level_header() -> Sheet:
    sheet = Sheet()
    rows = [
        ["Регион", "Первое полугодие", MERGED_LEFT, "Второе полугодие", MERGED_LEFT],
        [MERGED_UP, "план", "факт", "план", "факт"],
        ["Москва", "1 200", "1 310", "1 400", "1 385"],
        ["Омск", "410", "455", "480", MERGED_UP],
    ]
    sheet.paragraph(RUSSIAN[1], sheet.table(rows, 200, [400, 220, 220, 220, 220]) + 60)
    return sheet


def small() -> Sheet:
    sheet = Sheet((1000, 800))
    rows = [["Quarter", "Revenue"], ["First", "14,200"]]
    sheet.table(rows, 200, [260, 260], rule=1)
    return sheet


def tall_rows() -> Sheet:
    sheet = Sheet()
    rows = [
        ["№", "Наименование работ", "Срок"],
        ["1", "Разработка проектной докумен-\nтации и согласование", "15 марта 2026"],
        ["2", "Монтаж оборудования\nна площадке", "30 июня 2026"],
    ]
    sheet.table(rows, 200, [100, 700, 300], height=100)
    return sheet


def open_sides() -> Sheet:
    sheet = Sheet()
    for row, cells in enumerate([["Name", "Room"], ["Alice Brown", "204"], ["Robert Green", "117"]]):
        sheet.row([(cells[0], 160, "l"), (cells[1], 660, "l")], 308 + 60 * row)
    for row in range(4):
        sheet.pen.line((150, 300 + 60 * row, 1100, 300 + 60 * row), fill=0, width=3)
    sheet.pen.line((640, 300, 640, 480), fill=0, width=3)
    return sheet


TABLES: dict[Callable[[], Sheet], list[str]] = {
    invoice: [
        "№\tТовар\tКол-во\tЦена\tСумма",
        "1\tБумага офисная А4\t120\t375,50\t45 060,00",
        "2\tКартридж лазерный\t14\t2 800,00\t39 200,00",
        "Итого к оплате\t84 260,00",
    ],
    two_level_header: [
        "Регион\tПервое полугодие\tВторое полугодие",
        "план\tфакт\tплан\tфакт",
        "Москва\t1 200\t1 310\t1 400\t1 385",
        "Омск\t410\t455\t480",
    ],
    small: ["Quarter\tRevenue", "First\t14,200"],
    tall_rows: [
        "№\tНаименование работ\tСрок",
        "1\tРазработка проектной документации и согласование\t15 марта 2026",
        "2\tМонтаж оборудования на площадке\t30 июня 2026",
    ],
    open_sides: ["Name\tRoom", "Alice Brown\t204", "Robert Green\t117"],
}


def laid_out(sheet: Sheet, image: Image.Image | None = None) -> PageLayout:
    return compose(sheet.lines, sheet.size, find_rulings(np.asarray(image or sheet.image)))


def tables(layout: PageLayout) -> list[str]:
    return [block.content for block in layout.blocks if block.label == "table"]


@pytest.mark.parametrize("draw", TABLES, ids=lambda draw: draw.__name__)
def test_ruled_table_is_found_with_its_cells(draw: Callable[[], Sheet]) -> None:
    layout = laid_out(draw())
    assert len(tables(layout)) == 1
    assert "\n".join(TABLES[draw]) in layout.text


@pytest.mark.parametrize("spoil", [noisy, lambda page: rotated(page, 0.3), lambda page: page.convert("RGB")])
def test_lines_are_found_on_a_worn_page(spoil: Callable[[Image.Image], Image.Image]) -> None:
    sheet = invoice()
    assert "\n".join(TABLES[invoice]) in laid_out(sheet, spoil(sheet.image)).text


def test_lines_are_found_under_uneven_light() -> None:
    sheet = invoice()
    light = Image.linear_gradient("L").resize(sheet.size).point(lambda value: 90 + value * 0.6)
    page = Image.composite(light, light.point(lambda value: value * 0.5), sheet.image)
    assert "\n".join(TABLES[invoice]) in laid_out(sheet, page).text


def test_cells_that_are_merged_are_html_with_spans() -> None:
    [html] = tables(laid_out(two_level_header()))
    assert html.startswith(
        '<table><tr><td rowspan="2">Регион</td><td colspan="2">Первое полугодие</td>'
        '<td colspan="2">Второе полугодие</td></tr><tr><td>план</td>'
    )
    assert '<td rowspan="2">1 385</td></tr><tr><td>Омск</td>' in html


def test_text_around_a_table_stays_around_it() -> None:
    labels = [block.label for block in laid_out(invoice()).blocks]
    assert labels == ["paragraph_title", "table", "text"]


def test_lines_of_tesseract_across_cells_are_divided() -> None:
    """Tesseract reads a row of a table as one line."""
    sheet = invoice()
    rows: dict[int, list[Line]] = {}
    for line in sheet.lines:
        rows.setdefault(line.bbox[3] // 52, []).append(line)
    joined = [
        Line(tuple(word for line in row for word in line.words), row[0].bbox, row[0].height, True, True)
        for row in rows.values()
    ]
    layout = compose(joined, sheet.size, find_rulings(np.asarray(sheet.image)))
    assert "\n".join(TABLES[invoice]) in layout.text


def test_drawn_lines_that_were_read_as_letters_are_left_out() -> None:
    sheet = small()
    ruling = Word("|", (408, 200, 412, 252), 0.5)
    lines = [*sheet.lines, Line((ruling,), ruling.bbox, 15, True, True)]
    layout = compose(lines, sheet.size, find_rulings(np.asarray(sheet.image)))
    assert layout.text == "\n".join(TABLES[small])


def two_columns() -> Sheet:
    sheet = Sheet()
    for x in (150, 870):
        sheet.paragraph(ENGLISH[0], 280, x=x, width=630)
    return sheet


def form() -> Sheet:
    sheet = Sheet()
    for number, name in enumerate(["Фамилия", "Дата рождения", "Адрес", "Телефон", "Подпись"]):
        sheet.write(name, LEFT, 300 + 90 * number)
        sheet.pen.line((700, 338 + 90 * number, 1500, 338 + 90 * number), fill=0, width=2)
    return sheet


def frames() -> Sheet:
    sheet = Sheet()
    for box in ((80, 80, 1570, 2250), (120, 900, 1520, 1200)):
        sheet.pen.rectangle(box, outline=0, width=4)
    sheet.paragraph(ENGLISH[0], 200)
    sheet.paragraph(ENGLISH[1], 960)
    return sheet


def boxes_for_letters() -> Sheet:
    sheet = Sheet()
    sheet.paragraph(ENGLISH[0], 200)
    sheet.table([list("7701234567")], 500, [60] * 10)
    return sheet


def chart() -> Sheet:
    sheet = Sheet()
    for step in range(6):
        sheet.pen.line((250, 400 + step * 120, 1400, 400 + step * 120), fill=128, width=2)
        sheet.pen.line((250 + step * 230, 400, 250 + step * 230, 1000), fill=128, width=2)
        sheet.write(str(20 * step), 230, 384 + step * 120, size=28, anchor="r")
        sheet.write(str(2020 + step), 250 + step * 230, 1020, size=28, anchor="m")
    sheet.pen.line([(250 + k * 23, 900 - k * 8) for k in range(50)], fill=0, width=5)
    return sheet


def picture() -> Sheet:
    """A page with a picture of many edges."""
    sheet = Sheet()
    sheet.paragraph(ENGLISH[0], 200)
    marks = random.Random(5)
    for _ in range(300):
        x, y = marks.randrange(200, 1300), marks.randrange(600, 1500)
        box = (x, y, x + marks.randrange(10, 150), y + marks.randrange(10, 150))
        sheet.pen.rectangle(box, fill=marks.randrange(255))
    sheet.image = sheet.image.filter(ImageFilter.GaussianBlur(1))
    return sheet


@pytest.mark.parametrize("draw", [two_columns, form, frames, boxes_for_letters, chart, picture])
def test_no_table_is_invented(draw: Callable[[], Sheet]) -> None:
    layout = laid_out(draw())
    assert tables(layout) == []


def test_text_between_lines_is_not_lost() -> None:
    for draw in (invoice, two_level_header, tall_rows, open_sides, frames, chart):
        sheet = draw()
        read = sorted(word.text for line in sheet.lines for word in line.words)
        layout = laid_out(sheet)
        text = layout.text.replace("документации", "докумен- тации")
        assert sorted(text.split()) == read


def test_pages_without_lines_have_none() -> None:
    assert find_rulings(np.asarray(two_columns().image)) == Rulings()


def test_lines_of_a_pdf_come_in_pieces() -> None:
    """A drawing program draws the lines of each cell by themselves."""
    sheet = small()
    xs, ys = [150, 410, 670], [200, 252, 304]
    horizontal = [Segment(y, x, x + 260) for y in ys for x in xs[:2]]
    vertical = [Segment(x, y, y + 52) for x in xs for y in ys[:2]]
    layout = compose(sheet.lines, sheet.size, Rulings(tuple(horizontal), tuple(vertical)))
    assert layout.text == "\n".join(TABLES[small])


class CountedInt(int):
    """Counts the differences that are formed with it."""

    uses = 0

    def __sub__(self, other: float) -> float:  # type: ignore[override]
        CountedInt.uses += 1
        return int(self) - other


def test_lines_of_a_drawing_are_compared_with_those_near_them_alone() -> None:
    """A drawing of dots has thousands of short lines; each is compared with a few."""
    places = [(x, y) for x in range(0, 2000, 40) for y in range(0, 2000, 40)]
    dots = Rulings(
        tuple(Segment(y, CountedInt(x), x + 3) for x, y in places),
        tuple(Segment(x + 20, CountedInt(y), y + 3) for x, y in places),
    )
    CountedInt.uses = 0
    assert find_grids(dots, (2000, 2000)) == []
    assert CountedInt.uses < 200 * len(places)
