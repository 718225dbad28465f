"""The lines of a page with their boxes, for clients that know no blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ocr_service.api.answers.pruned_result import quality_of
from ocr_service.core.documents import Block, Box, PageResult, TextSource, Word
from ocr_service.core.html_text import plain_text


@dataclass(frozen=True, slots=True)
class TextLine:
    """confidence: 0 to 1; None if the engine gives none."""

    text: str
    bbox: Box
    confidence: float | None


def lines_of(page: PageResult) -> Sequence[TextLine]:
    """Return the lines of a page in reading order; a block without words stands for a line."""
    return [line for block in page.blocks for line in _lines(block)]


def pruned_lines(page: PageResult) -> dict[str, Any]:
    """Return the lines of a page with the names of PaddleX.

    A score is 1 for text of the file itself, and 0 if the engine gives no confidence. Clients calculate with
    the scores, so they cannot be null.
    """
    lines = lines_of(page)
    unknown = 1.0 if page.source is TextSource.TEXT_LAYER else 0.0
    corners = [_corners(line.bbox) for line in lines]
    return {
        "width": page.width,
        "height": page.height,
        "rec_texts": [line.text for line in lines],
        "rec_scores": [unknown if line.confidence is None else round(line.confidence, 3) for line in lines],
        "rec_boxes": [list(line.bbox) for line in lines],
        "rec_polys": corners,
        "dt_polys": corners,
        **quality_of(page),
    }


def _lines(block: Block) -> Iterator[TextLine]:
    if not block.words:
        text = plain_text(block.content).strip()
        if text:
            yield TextLine(text, block.bbox, block.confidence)
        return
    line = [block.words[0]]
    for word in block.words[1:]:
        if not _are_beside(line[-1], word):
            yield _line(line)
            line = []
        line.append(word)
    yield _line(line)


def _are_beside(word: Word, other: Word) -> bool:
    """Whether the middle of one word is at the height of the other."""
    (_, top, _, bottom), (_, other_top, _, other_bottom) = word.bbox, other.bbox
    return other_top <= (top + bottom) / 2 <= other_bottom or top <= (other_top + other_bottom) / 2 <= bottom


def _line(words: Sequence[Word]) -> TextLine:
    known = [word.confidence for word in words if word.confidence is not None]
    lefts, tops, rights, bottoms = zip(*(word.bbox for word in words), strict=True)
    return TextLine(
        " ".join(word.text for word in words),
        (min(lefts), min(tops), max(rights), max(bottoms)),
        sum(known) / len(known) if known else None,
    )


def _corners(box: Box) -> list[list[int]]:
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]
