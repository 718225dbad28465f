"""Rows without ruling lines → tables: price lists, statements, receipts. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from statistics import median

from ocr_service.layout.grids import GridCell
from ocr_service.layout.rows import pieces_of, visual_rows
from ocr_service.layout.tables import Table, TableCell, with_table
from ocr_service.layout.words import Line, enclosing

# All in heights of the small letters, which are about half the size of the font.
# A gap between two columns, over the whole height of the table.
_COLUMN_GAP = 0.8
# A gap between two rows of one table.
_ROW_GAP = 4.0

_FEWEST_ROWS = 3
# Rows of one piece that may follow each other inside a table: a title, or a cell that goes on.
_MOST_SINGLE = 2
# Share of the rows that have a text in each column.
_FULL_ROWS = 0.2
# Share of the cells of a column that are numbers.
_NUMBERS = 0.6
# Share of the cells of a column that are names of fields.
_NAMES = 0.6
# Words in the median cell of a column of running text.
_PROSE_WORDS = 5
# A row that is this much nearer to the row above than other rows continues it.
_NEAR = 0.6

_Row = list[Line]
_Span = tuple[int, int]


def with_row_tables(lines: Sequence[Line]) -> list[Line | Table]:
    """Return the lines, in their order, with tables at the places of rows that have columns."""
    flow: list[Line | Table] = [*lines]
    divided = [list(pieces_of(line)) for line in lines]
    across = {piece for pieces in divided if len(pieces) > 1 for piece in pieces}
    for run in _runs(visual_rows([piece for pieces in divided for piece in pieces])):
        read_across = sum(row[0] in across for row in run) * 2 > len(run)
        table = _table(run, read_across)
        if table:
            flow = with_table(flow, table)
    return flow


def _runs(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Yield rows that can be one table: of several pieces, except for a few, and near to each other."""
    run: list[_Row] = []
    single = 0
    for row in rows:
        single = single + 1 if len(row) == 1 else 0
        if run and (single > _MOST_SINGLE or _gap(run[-1], row) > _ROW_GAP * row[0].height):
            yield from _trimmed(run)
            run = []
        run.append(row)
    yield from _trimmed(run)


def _trimmed(run: list[_Row]) -> Iterator[list[_Row]]:
    """Yield the run without single pieces at its ends, if enough rows remain."""
    full = [number for number, row in enumerate(run) if len(row) > 1]
    if len(full) >= _FEWEST_ROWS:
        yield run[full[0] : full[-1] + 1]


def _gap(above: _Row, below: _Row) -> int:
    return min(line.bbox[1] for line in below) - max(line.bbox[3] for line in above)


def _table(run: list[_Row], read_across: bool) -> Table | None:
    """Return the table of a run, or None if it has no columns of a table; read_across: by its source."""
    columns = _columns(run)
    rows = [_cells(number, row, columns) for number, row in enumerate(_without_continuations(run))]
    cells = tuple(cell for row in rows for cell in row)
    if len(columns) < 2 or not _is_table(cells, len(columns), read_across):
        return None
    return Table(enclosing(line.bbox for row in run for line in row), cells)


def _columns(run: Sequence[_Row]) -> list[_Span]:
    """Return the left and right edges of the columns, from the rows that have most of them."""
    counts = Counter(map(len, run))
    most = max((count for count in counts if counts[count] >= max(2, _FULL_ROWS * len(run))), default=0)
    gap = _COLUMN_GAP * median(row[0].height for row in run)
    columns = _joined((_span(piece) for row in run if len(row) >= most for piece in row), gap)
    # Other rows can have texts in a column that is empty in these, or across several columns.
    spans = [_span(piece) for row in run for piece in row]
    return _joined([*columns, *(span for span in spans if len(_crossed(span, columns)) < 2)], gap)


def _joined(spans: Iterable[_Span], gap: float) -> list[_Span]:
    """Join the spans that overlap or are nearer to each other than the gap; sorted."""
    joined: list[_Span] = []
    for left, right in sorted(spans):
        if joined and left - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], right)
        else:
            joined.append((left, right))
    return joined


def _span(line: Line) -> _Span:
    return line.bbox[0], line.bbox[2]


def _crossed(span: _Span, columns: Sequence[_Span]) -> list[int]:
    return [number for number, (left, right) in enumerate(columns) if span[0] < right and left < span[1]]


def _without_continuations(run: Sequence[_Row]) -> list[_Row]:
    """Join each single piece to the row above if it is much nearer to it than rows are to each other."""
    usual = median(_gap(above, below) for above, below in pairwise(run) if len(below) > 1)
    rows: list[_Row] = []
    for above, row in pairwise([run[0], *run]):
        if rows and len(row) == 1 and _gap(above, row) < usual * _NEAR:
            rows[-1] = [*rows[-1], *row]
        else:
            rows.append(row)
    return rows


def _cells(number: int, row: _Row, columns: Sequence[_Span]) -> Iterator[TableCell]:
    """Yield the cells of a row; a single piece across columns is one cell, others are divided."""
    crossed = _crossed(_span(row[0]), columns)
    if len(row) == 1 and len(crossed) > 1:
        before, after = range(crossed[0]), range(crossed[-1] + 1, len(columns))
        yield from (TableCell(GridCell(number, column), ()) for column in before)
        yield TableCell(GridCell(number, crossed[0], columns=len(crossed)), tuple(row))
        yield from (TableCell(GridCell(number, column), ()) for column in after)
        return
    middles = [(left[1] + right[0]) / 2 for left, right in pairwise(columns)]
    for column, (left, right) in enumerate(pairwise([-inf, *middles, inf])):
        parts = [piece.part(lambda word: left <= (word.bbox[0] + word.bbox[2]) / 2 < right) for piece in row]  # noqa: B023
        yield TableCell(GridCell(number, column), tuple(part for part in parts if part))


def _is_table(cells: Sequence[TableCell], count: int, read_across: bool) -> bool:
    """Return whether these are columns of a table: numbers, names with values, or texts read by rows."""
    columns = [
        [
            cell.text
            for cell in cells
            if cell.place.column == column and cell.place.columns == 1 and cell.lines
        ]
        for column in range(count)
    ]
    prose = sum(median(len(text.split()) for text in column or [""]) >= _PROSE_WORDS for column in columns)
    if prose == 0 and (read_across or _are_names(columns[0])):
        return True
    return prose < 2 and any(_are_numbers(column) for column in columns[1:])


def _are_names(texts: Sequence[str]) -> bool:
    """Return whether most of the texts end with a colon, as the names of the fields of a form do."""
    return sum(text.endswith(":") for text in texts) > len(texts) * _NAMES


def _are_numbers(texts: Sequence[str]) -> bool:
    """Return whether there are numbers, and most texts are such; the first can be a title."""
    numbers = sum(_is_number(text) for text in texts[1:])
    return numbers >= max(2, _NUMBERS * len(texts[1:]))


def _is_number(text: str) -> bool:
    letters, digits = sum(map(str.isalpha, text)), sum(map(str.isdigit, text))
    return digits > 0 and letters <= digits
