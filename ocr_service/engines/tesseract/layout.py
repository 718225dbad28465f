"""Lines from Tesseract → blocks in reading order: paragraphs, headings and lists. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.core.documents import Block

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

_HYPHENS = "-\u00ad\u2010¬"
# Russian words with a hyphen: the part before it, and the part after it.
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
    """A line of text from Tesseract.

    height: height of its small letters, in pixels. confidence: 0 to 1.
    opens_block, opens_paragraph: whether it is the first line of a block or paragraph of Tesseract.
    """

    text: str
    bbox: tuple[int, int, int, int]
    height: float
    confidence: float
    opens_block: bool
    opens_paragraph: bool

    @property
    def letter_width(self) -> float:
        """Mean width of a character, including spaces, in pixels."""
        return (self.bbox[2] - self.bbox[0]) / len(self.text)


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines of one paragraph, or of one list item."""

    lines: tuple[Line, ...]
    is_item: bool


def compose(lines: Sequence[Line]) -> tuple[Block, ...]:
    """Join lines, in reading order, into blocks."""
    body = body_height(lines)
    blocks: list[Block] = []
    paragraphs = (paragraph for block in _split_blocks(lines) for paragraph in _paragraphs(block, body))
    for group in _group_lists(paragraphs):
        label = LIST if group[0].is_item else _label(group[0].lines, body)
        blocks.append(_block(label, group, order=len(blocks) + 1))
    return tuple(blocks)


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


def mean_confidence(lines: Iterable[Line]) -> float | None:
    """Return the mean, weighted by the length of the lines, 0 to 1; None without lines."""
    known = [(line.confidence, len(line.text)) for line in lines]
    weight = sum(length for _, length in known)
    return round(sum(confidence * length for confidence, length in known) / weight, 3) if weight else None


def join_lines(texts: Sequence[str]) -> str:
    """Join the lines of a paragraph to one text, and rejoin hyphenated words."""
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
    """Return whether the hyphen only breaks the line; in words like A4-format it belongs to the word."""
    if not left[-1].isalpha():
        return False
    if any(before.search(left) and after.match(right) for before, after in _SPELT_WITH_HYPHEN):
        return False
    capitals = left[-2:].isupper() and len(left) > 1 and right[:2].isupper()
    return right[0].islower() or capitals


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
    boxes = [line.bbox for line in lines]
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
        confidence=mean_confidence(lines),
    )


def _plain_item(text: str) -> str:
    """Return an item with a mark of Markdown: a hyphen for a bullet and before a letter; numbers stay."""
    if _LETTER.match(text):
        return f"- {text}"
    return _DOT.sub("- ", _BULLET.sub("- ", text))
