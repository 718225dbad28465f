"""Layout from lines to blocks to Markdown."""

import re
from collections.abc import Sequence

import pytest

from ocr_service.core.documents import Block
from ocr_service.layout.compose import PageLayout, compose
from ocr_service.layout.joining import join_lines
from ocr_service.layout.markdown import to_markdown
from ocr_service.layout.words import Line, Word

SIZE = (1000, 1400)


def blocks(lines: Sequence[Line]) -> tuple[Block, ...]:
    return compose(lines, SIZE).blocks


def words(text: str, box: tuple[int, int, int, int], conf: float = 0.9) -> tuple[Word, ...]:
    """Return the words of a line with letters of one width."""
    left, top, right, bottom = box
    letter = (right - left) / len(text)
    starts = [match.span() for match in re.finditer(r"\S+", text)]
    return tuple(
        Word(text[a:b], (round(left + a * letter), top, round(left + b * letter), bottom), conf)
        for a, b in starts
    )


def line(
    text: str, height: float = 25, y: int = 0, block: bool = False, paragraph: bool = False, conf: float = 0.9
) -> Line:
    box = (10, y, 500, y + 40)
    return Line(words(text, box, conf), box, height, opens_block=block, opens_paragraph=paragraph)


def placed(text: str, box: tuple[int, int, int, int], block: bool = False) -> Line:
    return Line(words(text, box), box, 25, opens_block=block, opens_paragraph=True)


def markdown(*lines: Line) -> str:
    return to_markdown(blocks(lines))


def labels(*lines: Line) -> list[str]:
    return [block.label for block in blocks(lines)]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["one", "two"], "one two"),
        (["ответственнос-", "тью"], "ответственностью"),
        (["soft\u00ad", "ware"], "software"),
        (["кто-", "нибудь"], "кто-нибудь"),
        (["из-за чего-", "то"], "из-за чего-то"),
        (["Санкт-", "Петербург"], "Санкт-Петербург"),
        (["2025-", "2026"], "2025-2026"),
        (["Москва -", "столица"], "Москва - столица"),
        (["-", "x"], "- x"),
        (["пере-", "гово-", "ры"], "переговоры"),
        (["справ-", "ка"], "справка"),
        (["мес-", "то"], "место"),
        (["по-", "ехали"], "поехали"),
        (["по-", "прежнему"], "по-прежнему"),
        (["во-", "первых"], "во-первых"),
        (["из-", "за"], "из-за"),
        (["10-", "дневный"], "10-дневный"),
        (["A4-", "формат"], "A4-формат"),
        (["ОТВЕТСТВЕН-", "НОСТЬ"], "ОТВЕТСТВЕННОСТЬ"),
    ],
)
def test_lines_are_joined_and_hyphenated_words_merged(texts: list[str], joined: str) -> None:
    assert join_lines(texts) == joined


def test_paragraphs_are_joined_across_lines() -> None:
    assert (
        markdown(
            line("First line of one", block=True, paragraph=True),
            line("and its end."),
            line("Second.", paragraph=True),
        )
        == "First line of one and its end.\n\nSecond."
    )


def wide(text: str, right: int, first: bool = False) -> Line:
    box = (0, 0, right, 40)
    return Line(words(text, box), box, 25, opens_block=first, opens_paragraph=first)


def test_line_after_a_short_one_begins_a_paragraph() -> None:
    """Tesseract merges paragraphs without an indent or a gap."""
    page = [
        wide("договор заключён между обществом с ограниченной", 1000, first=True),
        wide("и гражданином Ивановым.", 480),
        wide("Исполнитель обязуется оказать услуги в срок и в", 1000),
        wide("количестве, указанном в приложении, не позднее", 980),
    ]
    assert [block.content.split()[0] for block in blocks(page)] == ["договор", "Исполнитель"]


def test_ragged_lines_stay_together() -> None:
    """A line is short only because the first word of the next line did not fit."""
    page = [
        wide("договор заключён между обществом", 700, first=True),
        wide("достопримечательностей, расположенных в городе", 1000),
        wide("и его окрестностях до наступления", 720),
        wide("продолжительности, указанной в приложении", 960),
    ]
    assert len(blocks(page)) == 1


def test_lines_beside_a_picture_stay_together() -> None:
    narrow = [wide("слова рядом с картинкой", 500, first=n == 0) for n in range(6)]
    page = [*narrow, *(wide("слова под картинкой, во всю ширину страницы и до края", 1000) for _ in range(4))]
    contents = [block.content for block in blocks(page)]
    assert contents[0].count("рядом") >= 4


def test_headings_are_detected_by_letter_height() -> None:
    page = [
        line("Договор", height=50, block=True, paragraph=True),
        line("Предмет", height=33, block=True, paragraph=True),
        *(line("Обычный текст договора, много слов.", block=n == 0, paragraph=n == 0) for n in range(5)),
    ]
    assert labels(*page) == ["doc_title", "paragraph_title", "text"]
    assert markdown(*page).startswith("# Договор\n\n## Предмет\n\nОбычный")


def test_numbered_heading_is_not_a_list() -> None:
    page = [
        line("1. Предмет договора", height=33, block=True, paragraph=True),
        *(line("Обычный текст договора, много слов.", block=n == 0, paragraph=n == 0) for n in range(5)),
    ]
    assert labels(*page) == ["paragraph_title", "text"]


def test_large_text_of_many_lines_is_not_a_heading() -> None:
    large = [line("Крупно", height=50, block=n == 0, paragraph=n == 0) for n in range(4)]
    body = [line("Мелкий текст, которого больше всего.", block=n == 0, paragraph=n == 0) for n in range(9)]
    assert labels(*large, *body) == ["text", "text"]


def test_large_digits_are_not_a_heading() -> None:
    body = [line("Мелкий текст, которого больше всего.", block=n == 0, paragraph=n == 0) for n in range(9)]
    assert labels(line("17", height=60, block=True, paragraph=True), *body) == ["text", "text"]


def test_list_items_are_detected() -> None:
    page = [
        line("Нужно:", block=True, paragraph=True),
        line("• первое", y=50),
        line("· второе,", y=100),
        line("на двух строках", y=150),
        line(". третье", y=200),
        line("1) четвёртое", y=250),
        line("2) пятое", y=300),
        line("а) шестое", y=350),
        line("б) седьмое", y=400),
    ]
    assert labels(*page) == ["text", "list", "list", "list"]
    assert markdown(*page) == (
        "Нужно:\n\n- первое\n- второе, на двух строках\n- третье\n\n"
        "1) четвёртое\n2) пятое\n\n- а) шестое\n- б) седьмое"
    )


def test_hanging_indent_continues_the_list_item() -> None:
    """Tesseract starts a paragraph at a line that is indented beyond the list marker."""
    page = [
        placed("1. Первый пункт, который", (10, 0, 500, 40), block=True),
        placed("продолжается", (60, 50, 300, 90), block=False),
        placed("2. Второй пункт", (10, 100, 400, 140), block=False),
    ]
    assert markdown(*page) == "1. Первый пункт, который продолжается\n2. Второй пункт"


@pytest.mark.parametrize("start", ["- столица", "2. Это", "— сказал он"])
def test_list_marker_inside_a_paragraph_is_not_a_list(start: str) -> None:
    page = [line("Город Москва", block=True, paragraph=True), line(start)]
    assert labels(*page) == ["text"]


def test_list_item_continues_in_the_middle_of_a_sentence() -> None:
    page = [
        line("1. Первый пункт, который", block=True, paragraph=True),
        line("продолжается", paragraph=True, y=50),
        line("Новый абзац.", paragraph=True, y=100),
    ]
    assert markdown(*page) == "1. Первый пункт, который продолжается\n\nНовый абзац."


def test_initials_are_not_a_list() -> None:
    assert labels(line("А. С. Пушкин родился в Москве.", block=True, paragraph=True)) == ["text"]


def test_list_item_does_not_continue_in_the_next_column() -> None:
    page = [
        line("- слева", y=900, block=True, paragraph=True),
        line("- справа", y=100, block=True, paragraph=True),
    ]
    assert labels(*page) == ["list", "list"]


def test_markdown_syntax_in_a_paragraph_is_escaped() -> None:
    for text in ("# 17 по списку", "> больше", "+ 7 495", "--- конец"):
        assert markdown(line(text, block=True, paragraph=True)) == "\\" + text
    year = line("2026. Год начался", block=True, paragraph=True)
    assert markdown(year) == "2026\\. Год начался"


def test_html_in_the_text_is_escaped() -> None:
    page = line("x < 3 <script>alert(1)</script>", block=True, paragraph=True)
    assert markdown(page) == "x < 3 \\<script>alert(1)\\</script>"


def test_block_has_box_order_and_confidence() -> None:
    first, second = blocks(
        [
            line("aa", y=0, block=True, paragraph=True, conf=0.8),
            line("bbbbbb", y=100, conf=0.4),
            line("c", y=300, block=True, paragraph=True),
        ]
    )
    assert (first.bbox, first.order, second.order) == ((10, 0, 500, 140), 1, 2)
    assert first.confidence == pytest.approx(0.5), "the mean is weighted by line length"


def test_empty_page_has_no_blocks() -> None:
    assert compose([], SIZE) == PageLayout((), "")
    assert markdown() == ""
