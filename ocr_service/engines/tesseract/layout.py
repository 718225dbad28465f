"""Tesseract's lines → blocks in reading order: paragraphs, headings and lists. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.core.documents import Block

DOC_TITLE = "doc_title"
PARAGRAPH_TITLE = "paragraph_title"
TEXT = "text"
LIST = "list"

# Letters this much higher than the page's body text make a heading; the ratios are those of common
# style sheets, where a title stands at 1.6 to 2 times the body and a section at 1.2 to 1.5.
_TITLE_RATIO = 1.6
_HEADING_RATIO = 1.2
_HEADING_MOST_LINES = 3
_HEADING_LEAST_LETTERS = 2

# How far to look for the right margin, in lines, and how much wider than a word the room must be to tell.
_NEIGHBOURS = 2
_ROOM_TO_SPARE = 1.5

_BULLETS = "-–—•·▪●○■*°»"  # noqa: RUF001 - the dashes differ
_BULLET = re.compile(rf"^[{_BULLETS}]\s+(?=\S)")
# A misread bullet: Tesseract often takes the dot for a full stop.
_DOT = re.compile(r"^\.\s+(?=\S)")
_NUMBER = re.compile(r"^\d{1,3}[.)]\s+(?=\S)")
_LETTER = re.compile(r"^[a-zа-яё]\)\s+(?=\S)")  # noqa: RUF001
_MARKS = (_BULLET, _NUMBER, _LETTER)

_HYPHENS = "-\u00ad\u2010¬"
# Russian words that are spelt with a hyphen: what is before it, what is after it.
_SPELT_WITH_HYPHEN = tuple(
    (re.compile(rf"\b(?:{before})$", re.IGNORECASE), re.compile(rf"^(?:{after})\b", re.IGNORECASE))
    for before, after in (
        (r"кто|что|кого|чего|кому|чему|кем|чем|как|где|когда|куда|откуда|почему|как\w+|чь\w+", "то|либо"),
        (r"\w+", "нибудь|таки"),
        ("из", "за|под"),
        ("кое", r"\w+"),
        ("по", r"\w+(?:ому|ему|ски|цки|ьи)"),
        ("во", r"(?:перв|втор|трет|четверт|четвёрт)\w+"),
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as Tesseract saw it.

    height: of its small letters, in pixels. confidence: 0 to 1.
    opens_block, opens_paragraph: whether Tesseract starts one here.
    """

    text: str
    bbox: tuple[int, int, int, int]
    height: float
    confidence: float
    opens_block: bool
    opens_paragraph: bool

    @property
    def letter_width(self) -> float:
        """Pixels along the line for each of its characters, spaces among them."""
        return (self.bbox[2] - self.bbox[0]) / len(self.text)


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines that belong together, and whether they are one item of a list."""

    lines: tuple[Line, ...]
    is_item: bool


def compose(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Join lines, in reading order, into blocks."""
    body = body_height(lines)
    blocks: list[Block] = []
    paragraphs = (paragraph for block in _cut_at_blocks(lines) for paragraph in _paragraphs(block, body))
    for group in _lists_together(paragraphs):
        label = LIST if group[0].is_item else _label(group[0].lines, body)
        blocks.append(_block(label, group, order=len(blocks) + 1))
    return tuple(blocks)


def body_height(lines: Iterable[Line]) -> float:
    """Return the height of the small letters of most of the page's text, in pixels (weighted median)."""
    weighted = sorted((line.height, len(line.text)) for line in lines)
    half = sum(weight for _, weight in weighted) / 2
    passed = 0
    for height, weight in weighted:
        passed += weight
        if passed >= half:
            return height
    return 0.0


def join_lines(texts: Sequence[str]) -> str:
    """Make one text of a paragraph's lines, mending words that were broken at a line's end."""
    joined = texts[0]
    for text in texts[1:]:
        joined = _join(joined, text)
    return joined


def _join(left: str, right: str) -> str:
    broken = len(left) > 1 and left[-1] in _HYPHENS and left[-2].isalnum()
    if not broken:
        return f"{left} {right}"
    return (left[:-1] if _is_line_end_hyphen(left[:-1], right) else left) + right


def _is_line_end_hyphen(left: str, right: str) -> bool:
    """Tell a hyphen that the line's end made from one that belongs to the word, as in A4-format."""
    if not left[-1].isalpha():
        return False
    if any(before.search(left) and after.match(right) for before, after in _SPELT_WITH_HYPHEN):
        return False
    capitals = left[-2:].isupper() and len(left) > 1 and right[:2].isupper()
    return right[0].islower() or capitals


def _cut_at_blocks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    starts = [number for number, line in enumerate(lines) if number == 0 or line.opens_block]
    for start, end in pairwise([*starts, len(lines)]):
        yield lines[start:end]


def _paragraphs(lines: Sequence[Line], body: float) -> Iterator[_Paragraph]:
    """Cut a block at Tesseract's paragraphs, at every line that begins an item, and after short lines."""
    current: list[Line] = []
    in_item = False
    for number, line in enumerate(lines):
        is_item = not _is_large(line.height, body) and _begins_item(line, current, in_item)
        opens = line.opens_paragraph and not (in_item and _goes_on(line, current))
        if current and (is_item or opens or _had_room_before(lines, number)):
            yield _Paragraph(tuple(current), in_item)
            current = []
        if not current:
            in_item = is_item
        current.append(line)
    if current:
        yield _Paragraph(tuple(current), in_item)


def _had_room_before(lines: Sequence[Line], number: int) -> bool:
    """Tell a line that was begun although its first word still fitted into the line before: on purpose."""
    line, before = lines[number], lines[number - 1]
    # Of the neighbours, not of the whole block: beside a picture all lines are short.
    neighbours = lines[max(0, number - 1 - _NEIGHBOURS) : number + _NEIGHBOURS]
    room = max(neighbour.bbox[2] for neighbour in neighbours) - before.bbox[2]
    return room > (len(line.text.split()[0]) + 1) * line.letter_width * _ROOM_TO_SPARE


def _begins_item(line: Line, current: Sequence[Line], in_item: bool) -> bool:
    """Tell an item by its mark and its place: a dash or a number can stand at the start of any line."""
    if _mark(line.text):
        return not current or line.opens_paragraph or in_item or current[-1].text[-1] in ":;"
    return in_item and _DOT.match(line.text) is not None


def _lists_together(paragraphs: Iterable[_Paragraph]) -> Iterator[list[_Paragraph]]:
    """Group the items of one list, down a column; every other paragraph stands alone."""
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
    # What has no mark of its own is a misread bullet.
    kinds = [_mark(paragraph.lines[0].text) or _BULLET for paragraph in (before, item)]
    return below and kinds[0] is kinds[1]


def _mark(text: str) -> re.Pattern[str] | None:
    """Return the kind of mark that an item begins with."""
    return next((mark for mark in _MARKS if mark.match(text)), None)


def _goes_on(line: Line, item: Sequence[Line]) -> bool:
    """Tell a line that belongs to the item above, though Tesseract calls it a paragraph.

    It hangs below the item's words, right of the mark, or begins in the middle of a sentence.
    """
    hangs = bool(item) and line.bbox[0] > item[0].bbox[0] + line.letter_width
    return hangs or line.text[0].islower()


def _is_large(height: float, body: float) -> bool:
    return body > 0 and height >= body * _HEADING_RATIO


def _label(lines: Sequence[Line], body: float) -> str:
    height = body_height(lines)
    letters = sum(character.isalpha() for line in lines for character in line.text)
    too_long = len(lines) > _HEADING_MOST_LINES
    if too_long or letters < _HEADING_LEAST_LETTERS or not _is_large(height, body):
        return TEXT
    return DOC_TITLE if height >= body * _TITLE_RATIO else PARAGRAPH_TITLE


def _block(label: str, paragraphs: Sequence[_Paragraph], order: int) -> Block:
    lines = [line for paragraph in paragraphs for line in paragraph.lines]
    texts = [join_lines([line.text for line in paragraph.lines]) for paragraph in paragraphs]
    boxes = [line.bbox for line in lines]
    weight = sum(len(line.text) for line in lines)
    return Block(
        label=label,
        bbox=(
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        ),
        content="\n".join(_plain_item(text) for text in texts) if label == LIST else texts[0],
        order=order,
        confidence=round(sum(line.confidence * len(line.text) for line in lines) / weight, 3),
    )


def _plain_item(text: str) -> str:
    """Write a mark that Markdown knows: a hyphen for every bullet and before a letter; numbers stay."""
    if _LETTER.match(text):
        return f"- {text}"
    return _DOT.sub("- ", _BULLET.sub("- ", text))
