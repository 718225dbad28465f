"""Rows of a page: lines that stand beside each other, and the pieces between wide gaps. Pure functions."""

import re
from collections.abc import Iterator, Sequence

from ocr_service.layout.paragraphs import is_mark
from ocr_service.layout.words import Box, Line, Word

# A gap between two cells of a row, in heights of the small letters, which are about half the size of the
# font; the spaces of justified text are narrower.
_CELL_GAP = 2.2
_LEADER = re.compile(r"[.·…_]{3,}")


def pieces_of(line: Line) -> Iterator[Line]:
    """Divide a line at its wide gaps and leaders; the mark of a list item stays with its text."""
    words: list[Word] = []
    for word in line.words:
        if _LEADER.fullmatch(word.text):
            continue
        is_wide = bool(words) and word.bbox[0] - words[-1].bbox[2] > _CELL_GAP * line.height
        if is_wide and not (len(words) == 1 and is_mark(words[0].text)):
            yield line.of(words)
            words = []
        words.append(word)
    if words:
        yield line.of(words)


def visual_rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Group lines that stand beside each other; the rows from top to bottom, each from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.bbox[1] + line.bbox[3]):
        if rows and all(_beside(other.bbox, line.bbox) for other in rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.bbox[0]) for row in rows]


def _beside(one: Box, other: Box) -> bool:
    """Return whether two boxes have half of the lower one's height in common."""
    common = min(one[3], other[3]) - max(one[1], other[1])
    return common * 2 > min(one[3] - one[1], other[3] - other[1])
