"""Rows → the columns of a page, in reading order.

A gutter is a free vertical strip between text on both sides, over several rows. It separates columns if the
text on both sides is prose, or if the sides stand beside each other without common rows. Otherwise it belongs
to a table or a form, whose rows stay together. Ruling lines that cross it make it a part of a table.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.decoding.text_layer.rows import Row, Segment

# The smallest gutter, as a share of the font size.
_MIN_GUTTER = 0.8
# Rows with text on each side of a gutter.
_MIN_ROWS = 3
# Prose: characters of the median line, and its share of the width of the column.
_PROSE_LENGTH = 18
_PROSE_FILL = 0.6
# Share of the rows of the emptier side that have text on the other side too, in a table.
_SHARED_ROWS = 0.75
# Share of the rows of the emptier side that stand between or in rows of the other side.
_BESIDE = 0.5
# Ruling lines that cross a gutter of a table.
_TABLE_RULES = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line, in the frame of the rows."""

    left: float
    right: float
    at: float


@dataclass(frozen=True, slots=True)
class _Gutter:
    """A free strip from `left` to `right` over the rows from `first` to `last`, exclusive."""

    first: int
    last: int
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2

    def is_left(self, segment: Segment) -> bool:
        return segment.left < self.middle


def columns_of(rows: Sequence[Row], rules: Sequence[Rule] = ()) -> Iterator[Sequence[Row]]:
    """Yield groups of rows, each from one column, in reading order; rows: from top to bottom."""
    gutter = _best(rows, rules)
    if gutter is None:
        if rows:
            yield rows
        return
    yield from columns_of(rows[: gutter.first], rules)
    between = rows[gutter.first : gutter.last]
    yield from columns_of(_side(between, gutter, is_left=True), rules)
    yield from columns_of(_side(between, gutter, is_left=False), rules)
    yield from columns_of(rows[gutter.last :], rules)


def _best(rows: Sequence[Row], rules: Sequence[Rule]) -> _Gutter | None:
    """Return the gutter between columns that has most rows."""
    gutters = [gutter for gutter in _gutters(rows) if _separates_columns(rows, gutter, rules)]
    return max(gutters, key=lambda gutter: gutter.last - gutter.first, default=None)


def _gutters(rows: Sequence[Row]) -> Iterator[_Gutter]:
    known: list[_Gutter] = []
    for number, left, right, size in _gaps(rows):
        if any(old.first <= number < old.last and left < old.middle < right for old in known):
            continue
        gutter = _extended(rows, number, left, right, size)
        known.append(gutter)
        yield gutter


def _gaps(rows: Sequence[Row]) -> Iterator[tuple[int, float, float, float]]:
    """Yield the gaps within rows, and between the text of a row and that of the next if it is beside it."""
    for number, row in enumerate(rows):
        beside = rows[number + 1].segments if number + 1 < len(rows) else ()
        outer = [segment for segment in beside if not _overlaps(segment, row.segments)]
        for left, right in pairwise(sorted((*row.segments, *outer), key=lambda segment: segment.left)):
            size = max(left.size, right.size)
            if right.left - left.right >= _MIN_GUTTER * size:
                yield number, left.right, right.left, size


def _overlaps(segment: Segment, others: Sequence[Segment]) -> bool:
    return any(segment.left < other.right and segment.right > other.left for other in others)


def _extended(rows: Sequence[Row], number: int, left: float, right: float, size: float) -> _Gutter:
    """Return the gutter that begins as a gap in one row and goes on as far as rows leave it free."""
    first, last = number, number + 1
    for row in rows[number + 1 :]:
        if (free := _free(row, left, right, size)) is None:
            break
        left, right = free
        last += 1
    for row in reversed(rows[:number]):
        if (free := _free(row, left, right, size)) is None:
            break
        left, right = free
        first -= 1
    return _Gutter(first, last, left, right)


def _free(row: Row, left: float, right: float, size: float) -> tuple[float, float] | None:
    """Return the part of a gutter that a row leaves free; None if the row covers the gutter."""
    middle = (left + right) / 2
    for segment in row.segments:
        if segment.right <= middle:
            left = max(left, segment.right)
        elif segment.left >= middle:
            right = min(right, segment.left)
        elif segment.left > left and right - segment.left < segment.left - left:
            right = segment.left
        elif segment.right < right:
            left = segment.right
        else:
            return None
    return (left, right) if right - left >= _MIN_GUTTER * size else None


def _side(rows: Sequence[Row], gutter: _Gutter, *, is_left: bool) -> list[Row]:
    parts = (tuple(segment for segment in row.segments if gutter.is_left(segment) == is_left) for row in rows)
    return [Row(part) for part in parts if part]


def _separates_columns(rows: Sequence[Row], gutter: _Gutter, rules: Sequence[Rule]) -> bool:
    between = rows[gutter.first : gutter.last]
    left, right = (_side(between, gutter, is_left=is_left) for is_left in (True, False))
    if min(len(left), len(right)) < _MIN_ROWS:
        return False
    if sum(_crosses(rule, gutter, between) for rule in rules) >= _TABLE_RULES:
        return False
    shared = len(left) + len(right) - len(between)
    if shared < _SHARED_ROWS * min(len(left), len(right)):
        return _are_beside(between, gutter)
    return _is_prose(left) and _is_prose(right)


def _are_beside(rows: Sequence[Row], gutter: _Gutter) -> bool:
    """Return whether the rows of the sides alternate; the addresses of a letter stand one below the other."""
    sides = [{gutter.is_left(segment) for segment in row.segments} for row in rows]
    fewer = min((True, False), key=lambda side: sum(side in each for each in sides))
    other = not fewer
    around = [{True, False}, *sides, {True, False}]
    beside = [
        other in own or (other in above and other in below)
        for above, own, below in zip(around, sides, around[2:], strict=False)
        if fewer in own
    ]
    return sum(beside) >= _BESIDE * len(beside)


def _crosses(rule: Rule, gutter: _Gutter, rows: Sequence[Row]) -> bool:
    return (
        rule.left <= gutter.left and rule.right >= gutter.right and rows[0].top <= rule.at <= rows[-1].bottom
    )


def _is_prose(rows: Sequence[Row]) -> bool:
    """Return whether most lines are long and fill the column."""
    lengths = [sum(segment.length for segment in row.segments) for row in rows]
    widths = [row.segments[-1].right - row.segments[0].left for row in rows]
    width = max(row.segments[-1].right for row in rows) - min(row.segments[0].left for row in rows)
    long = statistics.median(lengths) >= _PROSE_LENGTH
    return long and statistics.median(widths) >= _PROSE_FILL * width
