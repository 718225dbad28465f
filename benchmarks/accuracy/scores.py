"""Scores of a text against the truth of its page; each is 0 to 1."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from benchmarks.accuracy import markdown
from benchmarks.accuracy.wording import compared, dense, is_mixed, skeleton, words
from benchmarks.corpus.truth import Entry

_SAME_HEADING = 0.8


@dataclass(frozen=True, slots=True)
class Reading:
    """The output of a contender for one page; markdown: None if it writes none."""

    text: str
    markdown: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a page; None if the page or the contender has nothing to measure.

    errors: character error rate in reading order, at most 1. words: share of the words that were found.
    order: share of the found words that stand in order. rows: share of the cells that stand in one line with
    their row. cells: share of the cells of ruled tables in the right row and column. headings: F1.
    wrong_script: number of words with letters of the wrong script. word_count: number of words of the output.
    invented_table: whether there is a table on a page without rows.
    """

    errors: float
    words: float
    order: float
    rows: float | None
    cells: float | None
    headings: float | None
    wrong_script: int
    word_count: int
    invented_table: bool


def score(entry: Entry, reading: Reading) -> Scores:
    """Compare a page with its truth."""
    expected, found = words(entry.text), words(reading.text)
    marks = reading.markdown
    has_rows = any(part.rows for part in entry.parts)
    return Scores(
        errors=character_errors(entry.text, reading.text),
        words=_share((Counter(expected) & Counter(found)).total(), len(expected)),
        order=word_order(expected, found),
        rows=_rows_kept(entry, reading.text),
        cells=None if marks is None else _cells_in_place(entry, markdown.tables(marks)),
        headings=None if marks is None else _heading_score(entry, markdown.headings(marks)),
        wrong_script=wrong_script(expected, found),
        word_count=len(found),
        invented_table=bool(marks and markdown.tables(marks) and not has_rows),
    )


def character_errors(truth: str, text: str) -> float:
    """Return the edits per character of the truth, at most 1."""
    expected = compared(truth)
    return min(1.0, Levenshtein.distance(expected, compared(text)) / max(1, len(expected)))


def word_order(expected: Sequence[str], found: Sequence[str]) -> float:
    """Return the share of the words that stand in order, of the words that occur once in both texts."""
    once, counts = Counter(found), Counter(expected)
    places = {word: place for place, word in enumerate(found) if once[word] == 1}
    order = [places[word] for word in expected if counts[word] == 1 and word in places]
    return _share(_longest_increasing(order), len(order))


def _longest_increasing(values: Iterable[int]) -> int:
    tails: list[int] = []
    for value in values:
        at = bisect_left(tails, value)
        tails[at : at + 1] = [value]
    return len(tails)


def wrong_script(expected: Sequence[str], found: Sequence[str]) -> int:
    """Count the words that the truth does not have, with letters of both scripts or of the other script."""
    known = set(expected)
    skeletons = {skeleton(word) for word in known}
    wrong = [word for word in found if word not in known and not word.isdigit()]
    return sum(
        is_mixed(word) or (skeleton(word) in skeletons and not _differs_in_case(word, known))
        for word in wrong
    )


def _differs_in_case(word: str, known: set[str]) -> bool:
    return word.lower() in {each.lower() for each in known}


def _rows_kept(entry: Entry, text: str) -> float | None:
    lines = [dense(line) for line in text.splitlines()]
    rows = [[dense(cell) for cell in row if cell] for part in entry.parts for row in part.rows]
    rows = [row for row in rows if len(row) > 1]
    if not rows:
        return None
    kept = sum(max((_cells_in_line(row, line) for line in lines), default=0) for row in rows)
    return _share(kept, sum(map(len, rows)))


def _cells_in_line(row: Sequence[str], line: str) -> int:
    """Count the cells that stand in a line, in order; a cell alone is no row."""
    count = at = 0
    for cell in row:
        place = line.find(cell, at)
        if place >= 0:
            count, at = count + 1, place + len(cell)
    return count if count > 1 else 0


def _cells_in_place(entry: Entry, found: Sequence[markdown.Grid]) -> float | None:
    truth = [
        [dense(cell) for cell in row] for part in entry.parts if part.kind == "table" for row in part.rows
    ]
    if not truth:
        return None
    rows = [[dense(cell) for cell in row] for grid in found for row in grid]
    kept = sum(max((_equal_cells(row, other) for other in rows), default=0) for row in truth)
    return _share(kept, sum(bool(cell) for row in truth for cell in row))


def _equal_cells(row: Sequence[str], other: Sequence[str]) -> int:
    return sum(bool(cell) and cell == found for cell, found in zip(row, other, strict=False))


def _heading_score(entry: Entry, found: Sequence[str]) -> float | None:
    truth = [compared(part.text) for part in entry.parts if part.kind == "heading"]
    if not truth:
        return None
    rest = [compared(text) for text in found]
    hits = 0
    for heading in truth:
        alike = [text for text in rest if Levenshtein.normalized_similarity(heading, text) >= _SAME_HEADING]
        if alike:
            rest.remove(alike[0])
            hits += 1
    return _share(2 * hits, len(truth) + len(found))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 1.0
