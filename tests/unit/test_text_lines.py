"""Lines of a page from the words of its blocks."""

from dataclasses import replace

from ocr_service.api.answers.text_lines import TextLine, lines_of, pruned_lines
from ocr_service.core.documents import Block, Box, PageResult, TextSource, Word


def page(*blocks: Block) -> PageResult:
    return PageResult(1, 200, 100, markdown="", text="", blocks=blocks)


def block(content: str, *words: Word, bbox: Box = (0, 0, 9, 9)) -> Block:
    return Block("text", bbox, content, order=1, words=words)


def test_words_beside_each_other_are_a_line() -> None:
    words = (
        Word("Act", (10, 10, 40, 20), 0.9),
        # A comma and a dash are lower than the letters.
        Word(",", (42, 18, 44, 22), 0.8),
        Word("No.", (50, 11, 70, 21), 0.7),
        Word("next", (10, 30, 40, 40), 0.6),
        Word("line", (50, 31, 80, 41), 0.4),
    )
    first, second = lines_of(page(block("Act, No. next line", *words)))
    assert (first.text, first.bbox) == ("Act , No.", (10, 10, 70, 22))
    assert second == TextLine("next line", (10, 30, 80, 41), 0.5)


def test_words_from_right_to_left_are_a_line() -> None:
    words = (Word("שלום", (150, 10, 190, 20)), Word("עולם", (100, 10, 140, 20)))
    [line] = lines_of(page(block("שלום עולם", *words)))
    assert (line.text, line.bbox, line.confidence) == ("שלום עולם", (100, 10, 190, 20), None)


def test_block_without_words_stands_for_a_line_and_a_picture_for_none() -> None:
    table = "<table><tr><td>1</td><td>2</td></tr></table>"
    lines = lines_of(page(block(table, bbox=(1, 2, 3, 4)), block("")))
    assert lines == [TextLine("1\t2", (1, 2, 3, 4), None)]


def test_unknown_confidence_is_a_score_that_claims_nothing() -> None:
    read = page(block("a", bbox=(1, 2, 3, 4)))
    assert pruned_lines(read)["rec_scores"] == [0.0]


def test_text_of_the_file_itself_is_certain() -> None:
    words = Word("a", (1, 2, 3, 4)), Word("b", (1, 12, 3, 14), 0.25)
    held = replace(page(block("a b", *words)), source=TextSource.TEXT_LAYER)
    # The second line is in a picture, and was recognized.
    assert pruned_lines(held)["rec_scores"] == [1.0, 0.25]
