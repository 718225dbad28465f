"""Words → rows: words on one base line, and the segments of a row between wide gaps."""

import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from ocr_service.decoding.text_layer.runs import Run

# Shares of the font size: words on one base line differ by less than this; a gap between words of one
# segment is smaller than that.
_SAME_BASE = 0.3
_SEGMENT_GAP = 1.1
# A letter-spaced heading: at least this many single letters, with gaps that are nearly equal.
_SPACED_LETTERS = 4
_SPACED_GAP = 1.6
# PDFium takes a gap in a monospaced word for a space: such gaps are smaller than this share of the font size,
# and than this share of the usual gap between words.
_FALSE_SPACE = 0.18
_FALSE_SHARE = 0.4
# An initial is larger than the other words by this factor: the next line of its paragraph is beside it.
_INITIAL = 2.0


@dataclass(frozen=True)
class Segment:
    """Words of one row without a wide gap between them, from left to right."""

    runs: tuple[Run, ...]

    @cached_property
    def left(self) -> float:
        return self.runs[0].left

    @cached_property
    def right(self) -> float:
        return max(run.right for run in self.runs)

    @cached_property
    def size(self) -> float:
        lengths: Counter[float] = Counter()
        for run in self.runs:
            lengths[run.size] += len(run.text)
        return max(lengths, key=lambda size: lengths[size])

    @cached_property
    def base(self) -> float:
        return max(self.runs, key=lambda run: (run.size, len(run.text))).base

    @cached_property
    def top(self) -> float:
        return min(run.top for run in self.runs)

    @cached_property
    def bottom(self) -> float:
        return max(run.bottom for run in self.runs)

    @cached_property
    def length(self) -> int:
        """Number of characters, with spaces."""
        return sum(len(run.text) + 1 for run in self.runs) - 1


@dataclass(frozen=True)
class Row:
    """The segments on one base line, from left to right."""

    segments: tuple[Segment, ...]

    @cached_property
    def base(self) -> float:
        return max(self.segments, key=lambda segment: segment.length).base

    @cached_property
    def top(self) -> float:
        return min(segment.top for segment in self.segments)

    @cached_property
    def bottom(self) -> float:
        return max(segment.bottom for segment in self.segments)


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """Return the rows, from top to bottom."""
    rows: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: run.base):
        if rows and run.base - rows[-1][0].base <= _SAME_BASE * min(run.size, rows[-1][0].size):
            rows[-1].append(run)
        else:
            rows.append([run])
    return [Row(tuple(_segments(sorted(row, key=lambda run: run.left)))) for row in _with_raised(rows)]


def _with_raised(rows: list[list[Run]]) -> list[list[Run]]:
    """Move words that are smaller and a little higher or lower than a neighbour into its row."""
    merged: list[list[Run]] = []
    for row in rows:
        if merged and (home := _home(row, merged[-1])) is not None:
            merged[-1] = home
        else:
            merged.append(row)
    return merged


def _home(row: list[Run], above: list[Run]) -> list[Run] | None:
    small, large = sorted((row, above), key=lambda runs: max(run.size for run in runs))
    if max(run.size for run in small) > 0.85 * max(run.size for run in large):
        return None
    if all(any(_is_beside(run, other) for other in large) for run in small):
        return above + row
    return None


def _is_beside(small: Run, large: Run) -> bool:
    overlaps = small.bottom > large.top and small.top < large.bottom
    gap = max(small.left - large.right, large.left - small.right)
    return overlaps and -0.1 * large.size < gap < 0.5 * large.size


def _segments(row: list[Run]) -> Iterator[Segment]:
    start = 0
    for number, (left, right) in enumerate(pairwise(row), start=1):
        if _gap(left, right) > _SEGMENT_GAP * max(left.size, right.size):
            yield _segment(row[start:number])
            start = number
    yield _segment(row[start:])


def _segment(runs: list[Run]) -> Segment:
    return Segment(tuple(_in_order(_without_letter_spacing(_without_false_spaces(runs)))))


def _gap(left: Run, right: Run) -> float:
    return right.left - left.right


def _without_false_spaces(runs: list[Run]) -> list[Run]:
    """Join the parts of words at gaps that are much smaller than the others."""
    gaps = [_gap(left, right) for left, right in pairwise(runs)]
    # Beside a large initial, each space of the row would be a false one.
    limit = _FALSE_SPACE * min(runs[0].size, Segment(tuple(runs)).size)
    wide = [gap for gap in gaps if gap >= limit]
    if not wide or len(wide) == len(gaps):
        return runs
    return _joined(runs, min(limit, _FALSE_SHARE * statistics.median(wide)))


def _joined(runs: list[Run], limit: float) -> list[Run]:
    """Join words with a smaller gap between them than the limit, but none that lies over a large initial."""
    joined = [runs[0]]
    for left, run in pairwise(runs):
        is_over_initial = left.size > _INITIAL * run.size and _gap(left, run) < -run.size
        if _gap(left, run) < limit and not is_over_initial:
            joined[-1] = replace(joined[-1], text=joined[-1].text + run.text, right=run.right)
        else:
            joined.append(run)
    return joined


def _without_letter_spacing(runs: list[Run]) -> list[Run]:
    """Join single letters with equal gaps to words; a wider gap is a space."""
    single = sum(len(run.text) == 1 and run.text.isalpha() for run in runs)
    if single < _SPACED_LETTERS or single < len(runs) - 1:
        return runs
    usual = statistics.median(_gap(left, right) for left, right in pairwise(runs))
    return _joined(runs, _SPACED_GAP * usual)


def _in_order(runs: list[Run]) -> list[Run]:
    """Return the words in reading order: from right to left if most letters are Hebrew or Arabic."""
    letters = [character for run in runs for character in run.text if character.isalpha()]
    from_right = sum(unicodedata.bidirectional(letter) in ("R", "AL") for letter in letters)
    return runs[::-1] if from_right > len(letters) / 2 else runs
