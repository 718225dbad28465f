"""Lines → blocks in reading order, and text: paragraphs, headings and lists. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.core.documents import Block
from ocr_service.layout.joining import join_lines
from ocr_service.layout.rulings import NO_RULINGS, Rulings
from ocr_service.layout.words import Line, enclosing, mean_confidence

DOC_TITLE = "doc_title"
PARAGRAPH_TITLE = "paragraph_title"
TEXT = "text"
LIST = "list"

# Ratio of letter height to body text that makes a heading. In common style sheets, a title has 1.6 to 2
# times the size of the body, and a section heading 1.2 to 1.5 times.
_TITLE_RATIO = 1.6
_HEADING_RATIO = 1.2
_HEADING_MAX_LINES = 3
_HEADING_MIN_LETTERS = 2

# Lines above and below in which the right margin is searched.
_NEIGHBOURS = 2
# A line is short if the space at its end exceeds the next word by this factor.
_SHORT_LINE_FACTOR = 1.5

_BULLETS = "-–—•·▪●○■*°»"  # noqa: RUF001 - the dashes differ
_BULLET = re.compile(rf"^[{_BULLETS}]\s+(?=\S)")
# A misread bullet: Tesseract often reads it as a full stop.
_DOT = re.compile(r"^\.\s+(?=\S)")
_NUMBER = re.compile(r"^\d{1,3}[.)]\s+(?=\S)")
_LETTER = re.compile(r"^[a-zа-яё]\)\s+(?=\S)")  # noqa: RUF001
_MARKS = (_BULLET, _NUMBER, _LETTER)


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines of one paragraph, or of one list item."""

    lines: tuple[Line, ...]
    is_item: bool


@dataclass(frozen=True, slots=True)
class PageLayout:
    """The layout of a page.

    blocks: in reading order.
    text: the page as plain text, line by line, with empty lines between paragraphs.
    """

    blocks: tuple[Block, ...]
    text: str


def compose(lines: Sequence[Line], size: tuple[int, int], rulings: Rulings = NO_RULINGS) -> PageLayout:
    """Join the lines of a page, in reading order, into blocks.

    size: width and height of the page in pixels.
    """
    return PageLayout(_blocks(lines), _plain_text(lines))


def _blocks(lines: Sequence[Line]) -> tuple[Block, ...]:
    body = body_height(lines)
    blocks: list[Block] = []
    paragraphs = (paragraph for block in _split_blocks(lines) for paragraph in _paragraphs(block, body))
    for group in _group_lists(paragraphs):
        label = LIST if group[0].is_item else _label(group[0].lines, body)
        blocks.append(_block(label, group, order=len(blocks) + 1))
    return tuple(blocks)


def _plain_text(lines: Sequence[Line]) -> str:
    opened = (("\n\n" if line.opens_paragraph or line.opens_block else "\n") + line.text for line in lines)
    return "".join(opened).strip()


def body_height(lines: Iterable[Line]) -> float:
    """Return the height of small letters in the body text, in pixels: the median, weighted by length."""
    weighted = sorted((line.height, len(line.text)) for line in lines)
    half = sum(weight for _, weight in weighted) / 2
    cumulative = 0
    for height, weight in weighted:
        cumulative += weight
        if cumulative >= half:
            return height
    return 0.0


def _split_blocks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    starts = [number for number, line in enumerate(lines) if number == 0 or line.opens_block]
    for start, end in pairwise([*starts, len(lines)]):
        yield lines[start:end]


def _paragraphs(lines: Sequence[Line], body: float) -> Iterator[_Paragraph]:
    """Split a block at the paragraphs of Tesseract, at list items, and after short lines."""
    current: list[Line] = []
    in_item = False
    for number, line in enumerate(lines):
        is_item = not _is_large(line.height, body) and _begins_item(line, current, in_item)
        opens = line.opens_paragraph and not (in_item and _continues_item(line, current))
        if current and (is_item or opens or _follows_short_line(lines, number)):
            yield _Paragraph(tuple(current), in_item)
            current = []
        if not current:
            in_item = is_item
        current.append(line)
    if current:
        yield _Paragraph(tuple(current), in_item)


def _follows_short_line(lines: Sequence[Line], number: int) -> bool:
    """Return whether the first word of a line fits into the line before: then the break is intended."""
    line, before = lines[number], lines[number - 1]
    # The margin of the neighbours, not of the whole block: next to a picture, all lines are short.
    neighbours = lines[max(0, number - 1 - _NEIGHBOURS) : number + _NEIGHBOURS]
    space = max(neighbour.bbox[2] for neighbour in neighbours) - before.bbox[2]
    return space > (len(line.text.split()[0]) + 1) * line.letter_width * _SHORT_LINE_FACTOR


def _begins_item(line: Line, current: Sequence[Line], in_item: bool) -> bool:
    """Return whether a line begins a list item; a mark alone is not enough, as any line can start so."""
    if _mark(line.text):
        return not current or line.opens_paragraph or in_item or current[-1].text[-1] in ":;"
    return in_item and _DOT.match(line.text) is not None


def _group_lists(paragraphs: Iterable[_Paragraph]) -> Iterator[list[_Paragraph]]:
    """Group the items of each list within a column; any other paragraph is a group of its own."""
    group: list[_Paragraph] = []
    for paragraph in paragraphs:
        if group and not _continues(group[-1], paragraph):
            yield group
            group = []
        group.append(paragraph)
    if group:
        yield group


def _continues(before: _Paragraph, item: _Paragraph) -> bool:
    if not (before.is_item and item.is_item):
        return False
    below = item.lines[0].bbox[1] >= before.lines[-1].bbox[1]
    # An item without a mark is a misread bullet.
    kinds = [_mark(paragraph.lines[0].text) or _BULLET for paragraph in (before, item)]
    return below and kinds[0] is kinds[1]


def _mark(text: str) -> re.Pattern[str] | None:
    """Return the pattern of the mark at the start of an item, or None."""
    return next((mark for mark in _MARKS if mark.match(text)), None)


def _continues_item(line: Line, item: Sequence[Line]) -> bool:
    """Return whether a line continues the item above, although Tesseract starts a paragraph.

    Such a line is indented to the text of the item, or starts with a small letter.
    """
    is_indented = bool(item) and line.bbox[0] > item[0].bbox[0] + line.letter_width
    return is_indented or line.text[0].islower()


def _is_large(height: float, body: float) -> bool:
    return body > 0 and height >= body * _HEADING_RATIO


def _label(lines: Sequence[Line], body: float) -> str:
    height = body_height(lines)
    letters = sum(character.isalpha() for line in lines for character in line.text)
    too_long = len(lines) > _HEADING_MAX_LINES
    if too_long or letters < _HEADING_MIN_LETTERS or not _is_large(height, body):
        return TEXT
    return DOC_TITLE if height >= body * _TITLE_RATIO else PARAGRAPH_TITLE


def _block(label: str, paragraphs: Sequence[_Paragraph], order: int) -> Block:
    lines = [line for paragraph in paragraphs for line in paragraph.lines]
    texts = [join_lines([line.text for line in paragraph.lines]) for paragraph in paragraphs]
    return Block(
        label=label,
        bbox=enclosing(line.bbox for line in lines),
        content="\n".join(_plain_item(text) for text in texts) if label == LIST else texts[0],
        order=order,
        confidence=mean_confidence(lines),
    )


def _plain_item(text: str) -> str:
    """Return an item with a mark of Markdown: a hyphen for a bullet and before a letter; numbers stay."""
    if _LETTER.match(text):
        return f"- {text}"
    return _DOT.sub("- ", _BULLET.sub("- ", text))
