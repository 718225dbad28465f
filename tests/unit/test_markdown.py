"""Blocks as Markdown, read back by a parser of CommonMark with the tables and the strikethrough of GitHub."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ocr_service.core.documents import Block
from ocr_service.layout.markdown import to_markdown

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# Characters of markup, and what makes them so.
MARKUP = st.text("ab1 .)*_~`[](){}<>&;#!:=+-|\\\"'/", min_size=1, max_size=12)
# The same texts in every run, and no limit of time.
DETERMINISTIC = settings.get_profile("ci")


def block(label: str, content: str) -> Block:
    return Block(label, (0, 0, 1, 1), content, 1)


def shown(markdown: str, kind: str) -> list[str]:
    """Return the text of each part of one kind; everything must be plain text there."""
    tokens = PARSER.parse(markdown)
    texts = [after for token, after in pairwise(tokens) if token.type == f"{kind}_open"]
    for text in texts:
        assert {child.type for child in text.children or []} <= {"text", "text_special", "softbreak"}, (
            markdown
        )
    return ["".join(child.content or "\n" for child in text.children or []) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "5*3*2",
        "[a](b)",
        "![a](b)",
        "[a]: https://example.com",
        "&copy; &#169; AT&T",
        "# 17 по списку",
        "#",
        "> больше",
        ">больше",
        "+ 7 495",
        "- 5 °C",
        "--- конец",
        "===",
        "***",
        "_a_ file_name __init__",
        "~~a~~ ~b~ ~5",
        "`code` ```",
        "2026. Год начался",
        "1)",
        "C:\\*.txt \\",
        "x < 3 <script>alert(1)</script> <!-- a -->",
        "<https://example.com>",
        "a | b",
    ],
)
def test_text_of_a_paragraph_is_shown_as_it_is(text: str) -> None:
    assert shown(to_markdown([block("text", text)]), "paragraph") == [text]
    assert shown(to_markdown([block("paragraph_title", text)]), "heading") == [text]
    assert shown(to_markdown([block("list", f"- {text}")]), "paragraph") == [text]


@pytest.mark.parametrize(
    "text", ["5 * 3", "file_name", "АО «А&Б», 5 < 6", "цена ~5 [1]", "10-15", "C:\\dir", "№ 5!"]
)
def test_text_without_markup_stays_readable(text: str) -> None:
    assert to_markdown([block("text", text)]) == text


@DETERMINISTIC
@given(MARKUP)
def test_no_text_of_a_paragraph_becomes_markup(text: str) -> None:
    plain = " ".join(text.split())
    if plain:
        assert shown(to_markdown([block("text", plain)]), "paragraph") == [plain]


@DETERMINISTIC
@given(MARKUP)
def test_no_text_of_a_cell_becomes_markup(text: str) -> None:
    plain = " ".join(text.split())
    cell = plain.replace("&", "&amp;").replace("<", "&lt;")
    html = f"<table><tr><td>{cell}</td><td>b</td></tr><tr><td>c</td><td>{cell}</td></tr></table>"
    markdown = to_markdown([block("table", html)])
    assert (shown(markdown, "th"), shown(markdown, "td")) == ([plain, "b"], ["c", plain])


def test_table_with_merged_cells_is_html() -> None:
    html = '<table><tr><td colspan="2">a</td></tr><tr><td>b</td><td>c</td></tr></table>'
    assert to_markdown([block("table", html)]) == html


def test_items_keep_their_marks() -> None:
    markdown = to_markdown([block("list", "1) first\n2) *second*")])
    assert markdown == "1) first\n2) \\*second\\*"


def test_running_heads_are_left_out_unless_the_caller_chooses_other_labels() -> None:
    blocks = [block("header", "Report"), block("text", "a"), block("number", "17")]
    assert to_markdown(blocks) == "a"
    assert to_markdown(blocks, ()) == "Report\n\na\n\n17"
    assert to_markdown(blocks, ("text",)) == "Report\n\n17"
