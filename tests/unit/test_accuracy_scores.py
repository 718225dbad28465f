"""The scores of `make bench-accuracy`, and pages of its set."""

from pathlib import Path
from random import Random

import pypdfium2 as pdfium
import pytest

from benchmarks.accuracy.markdown import headings, tables
from benchmarks.accuracy.scores import Reading, score, word_order, wrong_script
from benchmarks.accuracy.wording import compared, words
from benchmarks.corpus.plan import LAYOUTS
from benchmarks.corpus.texts import Texts
from benchmarks.corpus.truth import Entry, Part, part_of_rows, read_index, write_index

ROWS = (("No.", "Item", "Sum"), ("1", "Paper", "1 200,00"), ("2", "Pens", "35,50"))
PARTS = (Part("heading", "1. Prices"), Part("text", "All sums are in pounds."), part_of_rows("table", ROWS))
PAGE = Entry("001", "001.png", "invoice", "en", "judging", PARTS)


def test_a_perfect_reading_has_full_scores() -> None:
    markdown = (
        "## 1\\. Prices\n\nAll sums are in pounds.\n\n"
        "| No. | Item | Sum |\n|---|---|---|\n| 1 | Paper | 1 200,00 |\n| 2 | Pens | 35,50 |\n"
    )
    scores = score(PAGE, Reading(PAGE.text, markdown))

    assert (scores.errors, scores.words, scores.order) == (0, 1, 1)
    assert (scores.rows, scores.cells, scores.headings) == (1, 1, 1)
    assert not scores.invented_table


def test_a_table_read_column_by_column_loses_its_rows() -> None:
    columns = "1. Prices\nAll sums are in pounds.\nNo.\n1\n2\nItem\nPaper\nPens\nSum\n1200,00\n35,50"
    scores = score(PAGE, Reading(columns, columns))

    assert scores.words > 0.85
    assert scores.order < 0.9
    assert (scores.rows, scores.cells, scores.headings) == (0, 0, 0)


def test_an_empty_reading_has_all_errors() -> None:
    assert score(PAGE, Reading("")).errors == 1


def test_words_in_another_order() -> None:
    assert word_order(["a", "b", "c", "d"], ["c", "d", "a", "b"]) == 0.5


@pytest.mark.parametrize("word", ["тест1c", "РМ", "оffice"])
def test_words_of_the_wrong_script(word: str) -> None:
    assert wrong_script(["PM", "office", "тест1с"], [word]) == 1


@pytest.mark.parametrize("word", ["PM", "Office", "ПРИВЕТ", "42"])
def test_words_of_the_right_script(word: str) -> None:
    assert wrong_script(["PM", "office"], [word]) == 0


def test_merged_cells_of_html() -> None:
    (grid,) = tables(
        "<table><tr><td rowspan=2>Region</td><td colspan=2>Half</td></tr>"
        "<tr><td>Q1</td><td>Q2</td></tr><tr><td>A &amp; B</td><td>1</td><td>2</td></tr></table>"
    )
    assert grid == [["Region", "Half", ""], ["", "Q1", "Q2"], ["A & B", "1", "2"]]


def test_headings_of_markdown() -> None:
    assert headings("# A \\*B\\*\n\ntext # no\n\n### C") == ["A *B*", "C"]


@pytest.mark.parametrize(
    "table",
    [
        "| x | y |\n|---|---|\n| **T\\*** |  |\n| **no** | 1 |\n|  | **U & V** |\n| no | **1** |",
        '<table><tr><td colspan="2"><b>T*</b></td></tr><tr><td><b>no</b></td><td>1</td></tr>'
        "<tr><td></td><td><b>U &amp; V</b></td></tr></table>",
    ],
)
def test_bold_titles_of_groups_of_rows_are_headings(table: str) -> None:
    assert headings(f"# A\n\n{table}") == ["A", "T*", "U & V"]


def test_words_broken_at_the_end_of_a_line() -> None:
    assert compared("a hyphen-\nated «word» – here") == 'a hyphenated "word" - here'


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_page_of_the_set_has_the_text_of_its_truth(layout: str, language: str) -> None:
    pages = [LAYOUTS[layout](Texts(language, Random(layout))) for _ in range(2)]
    text = " ".join(part.text for part in pages[0].parts)
    pdf = pages[0].pdf()

    assert pages[1].pdf() == pdf
    drawn = pdfium.PdfDocument(pdf)[0].get_textpage().get_text_range()
    assert sorted(words(drawn)) == sorted(words(text))


def test_the_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_index(tmp_path, [PAGE])
    assert read_index(tmp_path) == [PAGE]
