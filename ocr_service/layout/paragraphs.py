"""Lines → paragraphs and list items. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.layout.headings import Body, is_set_off
from ocr_service.layout.joining import join_lines
from ocr_service.layout.words import Line

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
class Paragraph:
    """Lines of one paragraph, or of one list item."""

    lines: tuple[Line, ...]
    is_item: bool

    @property
    def text(self) -> str:
        """The lines, joined."""
        return join_lines([line.text for line in self.lines])

    @property
    def as_item(self) -> str:
        """The text with a mark of Markdown: a hyphen for a bullet and before a letter; numbers stay."""
        if _LETTER.match(self.text):
            return f"- {self.text}"
        return _DOT.sub("- ", _BULLET.sub("- ", self.text))


def paragraphs_of(lines: Sequence[Line], body: Body) -> Iterator[Paragraph]:
    """Split lines, in reading order, into paragraphs."""
    for block in _split_blocks(lines):
        yield from _paragraphs(block, body)


def _split_blocks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    starts = [number for number in range(1, len(lines)) if _opens_block(lines[number - 1], lines[number])]
    for start, end in pairwise([0, *starts, len(lines)]):
        yield lines[start:end]


def _opens_block(before: Line, line: Line) -> bool:
    return line.opens_block and not _continues_sentence(before, line)


def _continues_sentence(before: Line, line: Line) -> bool:
    """Return whether a line goes on in the middle of a sentence, right below the line before."""
    gap = line.bbox[1] - before.bbox[3]
    is_below = -before.height < gap < before.height and abs(line.bbox[0] - before.bbox[0]) < before.height
    is_narrower = line.bbox[2] <= before.bbox[2] + before.height
    return is_below and is_narrower and line.text[0].islower() and before.text[-1] not in ".!?:;"


def _paragraphs(lines: Sequence[Line], body: Body) -> Iterator[Paragraph]:
    """Split a block at the paragraphs of its source, at list items, at other type, and after short lines."""
    current: list[Line] = []
    in_item = False
    for number, line in enumerate(lines):
        set_off = is_set_off(line, body)
        is_item = not set_off and _begins_item(line, current, in_item)
        opens = line.opens_paragraph and not _continues_paragraph(line, current, in_item)
        changes = bool(current) and set_off != is_set_off(current[-1], body)
        if current and (is_item or opens or changes or _follows_short_line(lines, number)):
            yield Paragraph(tuple(current), in_item)
            current = []
        if not current:
            in_item = is_item
        current.append(line)
    if current:
        yield Paragraph(tuple(current), in_item)


def _continues_paragraph(line: Line, current: Sequence[Line], in_item: bool) -> bool:
    """Return whether a line continues the lines above, although its source starts a paragraph."""
    if in_item and _continues_item(line, current):
        return True
    return bool(current) and _continues_sentence(current[-1], line)


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


def group_lists(paragraphs: Iterable[Paragraph]) -> Iterator[list[Paragraph]]:
    """Group the items of each list within a column; any other paragraph is a group of its own."""
    group: list[Paragraph] = []
    for paragraph in paragraphs:
        if group and not _continues(group[-1], paragraph):
            yield group
            group = []
        group.append(paragraph)
    if group:
        yield group


def _continues(before: Paragraph, item: Paragraph) -> bool:
    if not (before.is_item and item.is_item):
        return False
    below = item.lines[0].bbox[1] >= before.lines[-1].bbox[1]
    # An item without a mark is a misread bullet.
    kinds = [_mark(paragraph.lines[0].text) or _BULLET for paragraph in (before, item)]
    return below and kinds[0] is kinds[1]


def is_mark(text: str) -> bool:
    """Return whether a text is nothing but the mark of a list item."""
    return _mark(f"{text} x") is not None


def _mark(text: str) -> re.Pattern[str] | None:
    """Return the pattern of the mark at the start of an item, or None."""
    return next((mark for mark in _MARKS if mark.match(text)), None)


def _continues_item(line: Line, item: Sequence[Line]) -> bool:
    """Return whether a line continues the item above, although Tesseract starts a paragraph.

    Such a line is indented to the text of the item, or starts with a small letter.
    """
    is_indented = bool(item) and line.bbox[0] > item[0].bbox[0] + line.letter_width
    return is_indented or line.text[0].islower()
