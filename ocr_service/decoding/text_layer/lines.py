"""Columns of rows → lines of the layout, in pixels of the page."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_service.core.documents import Box, Word
from ocr_service.decoding.text_layer.columns import Rule, columns_of
from ocr_service.decoding.text_layer.geometry import Matrix, Rect
from ocr_service.decoding.text_layer.rows import Row, rows_of
from ocr_service.decoding.text_layer.runs import Run
from ocr_service.layout.words import Line, enclosing

# Share of the font size that small letters take.
_SMALL_LETTERS = 0.5
# A gap between lines that is wider than the usual one by this factor separates blocks, and paragraphs.
_BLOCK_GAP, _PARAGRAPH_GAP = 1.6, 1.15
# Shares of the font size: the indent of a paragraph, and a difference of sizes that separates blocks.
_INDENT = 0.8
_OTHER_SIZE = 0.12


@dataclass(frozen=True, slots=True)
class _Column:
    """The rows of a column. left: of most lines. pitch: the usual distance of base lines."""

    rows: Sequence[Row]
    left: float
    pitch: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "_Column":
        pitches = [lower.base - upper.base for upper, lower in pairwise(rows)]
        return cls(rows, statistics.mode(round(row.segments[0].left) for row in rows), _usual(pitches))


def lines_of(runs: Sequence[Run], rules: Sequence[Rule], to_pixels: Matrix) -> tuple[Line, ...]:
    """Return the lines in reading order.

    rules: horizontal lines in the frame of the words. to_pixels: from this frame to pixels.
    """
    columns = columns_of(rows_of(runs), rules)
    return tuple(line for rows in columns for line in _lines(_Column.of(rows), to_pixels))


def _lines(column: _Column, to_pixels: Matrix) -> Iterator[Line]:
    for number, row in enumerate(column.rows):
        before = column.rows[number - 1] if number else None
        opens_block = before is None or _opens_block(before, row, column)
        opens_paragraph = before is None or opens_block or _opens_paragraph(before, row, column)
        yield _line(row, to_pixels, opens_block=opens_block, opens_paragraph=opens_paragraph)


def _opens_block(before: Row, row: Row, column: _Column) -> bool:
    size, above = _size(row), _size(before)
    if abs(size - above) > _OTHER_SIZE * max(size, above) or _is_bold(before) != _is_bold(row):
        return True
    return row.base - before.base > _BLOCK_GAP * column.pitch


def _opens_paragraph(before: Row, row: Row, column: _Column) -> bool:
    if row.base - before.base > _PARAGRAPH_GAP * column.pitch:
        return True
    indent = row.segments[0].left - column.left
    return indent > _INDENT * _size(row) and before.segments[0].left - column.left < indent / 2


def _size(row: Row) -> float:
    return max(row.segments, key=lambda segment: segment.length).size


def _is_bold(row: Row) -> bool:
    return all(run.bold for segment in row.segments for run in segment.runs)


def _usual(pitches: Iterable[float]) -> float:
    """Return the most frequent distance, rounded to half a point; the smallest one if all differ."""
    rounded = sorted(round(pitch * 2) / 2 for pitch in pitches)
    return statistics.mode(rounded) if rounded else 0.0


def _line(row: Row, to_pixels: Matrix, *, opens_block: bool, opens_paragraph: bool) -> Line:
    scale = abs(to_pixels.a + to_pixels.b)
    words = tuple(_word(run, to_pixels, scale) for segment in row.segments for run in segment.runs)
    return Line(
        words=words,
        bbox=enclosing(word.bbox for word in words),
        height=_SMALL_LETTERS * _size(row) * scale,
        opens_block=opens_block,
        opens_paragraph=opens_paragraph,
    )


def _word(run: Run, to_pixels: Matrix, scale: float) -> Word:
    rect = to_pixels.rect(Rect(run.left, run.top, run.right, run.bottom))
    return Word(run.text, box_of(rect), None, run.size * scale, run.bold, run.italic)


def box_of(rect: Rect) -> Box:
    """Return a box in pixels, y downwards."""
    return round(rect.left), round(rect.bottom), round(rect.right), round(rect.top)
