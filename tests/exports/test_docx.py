"""Word files from results, read back by python-docx and by LibreOffice if it is there."""

import io
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn
from PIL import Image

from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.errors import RecognitionFailed
from ocr_service.exports.docx import to_docx
from tests.exports.test_html import HOSTILE


def document(*pages: PageResult, formulas: bool = True) -> Any:
    return docx.Document(io.BytesIO(to_docx(DocumentResult(pages, Timings(), total=0.0), "Title", formulas)))


def page(markdown: str, **values: Any) -> PageResult:
    return PageResult(1, 10, 10, markdown, markdown, (), **values)


def texts(made: Any) -> list[tuple[str, str]]:
    return [(paragraph.style.name, paragraph.text) for paragraph in made.paragraphs if paragraph.text]


def test_headings_paragraphs_and_lists_have_their_styles() -> None:
    markdown = (
        "# Договор\n\n## Часть\n\nТекст **жирный** и *курсив* H<sub>2</sub>O\n\n- a\n  - b\n- c\n\n1. d"
    )
    made = document(page(markdown))
    assert texts(made) == [
        ("Heading 1", "Договор"),
        ("Heading 2", "Часть"),
        ("Normal", "Текст жирный и курсив H2O"),
        ("List Bullet", "a"),
        ("List Bullet 2", "b"),
        ("List Bullet", "c"),
        ("List", "1.\td"),
    ]
    runs = {run.text: run for run in made.paragraphs[2].runs}
    assert runs["жирный"].bold and runs["курсив"].italic and runs["2"].font.subscript
    assert made.core_properties.title == "Title"


def test_numbered_items_keep_the_numbers_of_the_page() -> None:
    made = document(page("3. c\n4. d\n6. f\n\ntext\n\n1. a\n   - b"), page("7. g"))
    assert [text for _, text in texts(made)] == ["3.\tc", "4.\td", "6.\tf", "text", "1.\ta", "b", "7.\tg"]


def test_merged_cells_of_a_table_are_merged() -> None:
    rows = (
        '<tr><td rowspan="2">a</td><td colspan="2">b</td></tr><tr><td>c</td><td>d</td></tr>'
        "<tr><td>e</td><td>f</td><td>g</td></tr>"
    )
    [table] = document(page(f"<table>{rows}</table>")).tables
    cells = [[cell.text for cell in row.cells] for row in table.rows]
    assert cells == [["a", "b", "b"], ["a", "c", "d"], ["e", "f", "g"]]
    assert table.cell(0, 1)._tc is table.cell(0, 2)._tc


@pytest.mark.parametrize(
    "table",
    [
        "<table></table>",
        "<table><tr></tr></table>",
        '<table><tr><td rowspan="99">a</td></tr></table>',
        '<table><tr><td colspan="99999">a</td></tr><tr><td>b</td></tr></table>',
        '<table><tr><td colspan="x" rowspan="-1">a</td></tr></table>',
        f'<table><tr><td colspan="{"9" * 5000}">a</td></tr></table>',
        '<table><tr><td>a</td><td rowspan="2">b</td></tr><tr><td colspan="2">c</td></tr></table>',
        "<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>",
    ],
)
def test_strange_tables_lose_no_text(table: str) -> None:
    made = document(page(table))
    found = "".join(node.text or "" for node in made.element.body.iter(qn("w:t")))
    assert sorted(found) == sorted(letter for letter in "abc" if f">{letter}<" in table)


def test_formulas_are_office_math() -> None:
    made = document(page(r"Let $x^2$ be" + "\n\n" + r"$$\frac{a}{b}$$"))
    found = [node.tag for node in made.element.body.iter(qn("m:f"), qn("m:sSup"))]
    assert found == [qn("m:sSup"), qn("m:f")]


def test_formula_that_word_cannot_have_keeps_its_source() -> None:
    assert r"\vec{a}" in document(page(r"$\vec{a}$")).paragraphs[0].text


def test_pictures_of_the_page_are_inside() -> None:
    file = io.BytesIO()
    Image.new("RGB", (3000, 100)).save(file, "JPEG")
    markdown = "![a](imgs/a.jpg) ![other](https://example.test/b.jpg)"
    made = document(page(markdown, images={"imgs/a.jpg": file.getvalue()}))
    [shape] = made.inline_shapes
    section = made.sections[0]
    assert shape.width <= section.page_width - section.left_margin - section.right_margin
    assert "other" in made.paragraphs[0].text


def test_failed_page_is_a_page_with_its_error() -> None:
    failed = PageResult(2, 0, 0, "", "", (), failure=RecognitionFailed("Page 2 failed."))
    made = document(page("One"), failed, PageResult(3, 1, 1, "Three", "Three", ()))
    found = [text for _, text in texts(made) if text.strip()]
    assert found == ["One", "Page 2 was not read: Page 2 failed.", "Three"]
    assert len(list(made.element.body.iter(qn("w:br")))) == 2


@pytest.mark.parametrize("text", [*HOSTILE, "a\x01b&#x1;c\ud800", "<" * 500, "$$" + "{" * 300 + "$$"])
def test_any_text_makes_a_file(text: str) -> None:
    body = document(page(f"Before\n\n{text}")).element.body
    assert "Before" in "".join(node.text or "" for node in body.iter(qn("w:t")))
