"""Tables: their cells with their text, as HTML and as rows of plain text. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from ocr_service.layout.grids import Grid, GridCell
from ocr_service.layout.headings import is_bold
from ocr_service.layout.joining import join_lines
from ocr_service.layout.rows import visual_rows
from ocr_service.layout.words import Box, Line, Word, has_centre

# A drawn line, read as a letter.
_RULING = re.compile(r"[|¦\[\]_—–-]+")  # noqa: RUF001
# Share of the cells that have text: a chart has grid lines too, and its numbers stand outside of them.
_LEAST_FILLED = 0.2


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its place, and its lines from top to bottom."""

    place: GridCell
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines, joined."""
        return join_lines([line.text for line in self.lines]) if self.lines else ""

    @property
    def is_bold(self) -> bool:
        """Whether there is text, and all of it is known to be bold."""
        return bool(self.lines) and all(map(is_bold, self.lines))


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its cells are in reading order and cover it without overlap."""

    bbox: Box
    cells: tuple[TableCell, ...]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return 1 + max(cell.place.row for cell in self.cells)

    @property
    def column_count(self) -> int:
        """Number of columns."""
        return max(cell.place.column + cell.place.columns for cell in self.cells)

    @property
    def is_bold(self) -> bool:
        """Whether most cells with text are bold."""
        filled = [cell for cell in self.cells if cell.lines]
        return sum(cell.is_bold for cell in filled) * 2 > len(filled)

    @property
    def lines(self) -> list[Line]:
        """The lines of all cells."""
        return [line for cell in self.cells for line in cell.lines]

    @property
    def html(self) -> str:
        """The table as HTML, with its merged cells and its bold titles of groups of rows."""
        return f"<table>{''.join(map(self._html_row, self._rows()))}</table>"

    @property
    def text(self) -> str:
        """The rows as lines, with a tab between two cells."""
        return "\n".join("\t".join(cell.text for cell in row) for row in self._rows())

    def _html_row(self, row: Sequence[TableCell]) -> str:
        is_title = self._is_title(row)
        return f"<tr>{''.join(_html_cell(cell, is_title and bool(cell.lines)) for cell in row)}</tr>"

    def _is_title(self, row: Sequence[TableCell]) -> bool:
        """Return whether the only text of a whole row is bold, in a table that is not."""
        if sum(bool(cell.lines) for cell in row) != 1 or not any(cell.is_bold for cell in row):
            return False
        return sum(cell.place.columns for cell in row) == self.column_count and not self.is_bold

    def _rows(self) -> Iterator[list[TableCell]]:
        for _, row in groupby(self.cells, key=lambda cell: cell.place.row):
            yield list(row)


def _html_cell(cell: TableCell, is_bold: bool) -> str:
    spans = (("rowspan", cell.place.rows), ("colspan", cell.place.columns))
    attributes = "".join(f' {name}="{count}"' for name, count in spans if count > 1)
    text = escape(cell.text, quote=False)
    return f"<td{attributes}>{f'<b>{text}</b>' if is_bold else text}</td>"


def with_ruled_tables(lines: Sequence[Line], grids: Sequence[Grid]) -> list[Line | Table]:
    """Return the lines, in their order, with the table of each grid at the place of its first word.

    A grid with too little text is no table.
    """
    flow: list[Line | Table] = [*lines]
    # A grid in a cell of another one is a table of its own.
    for grid in sorted(grids, key=lambda grid: grid.area):
        table = _filled(grid, [item for item in flow if isinstance(item, Line)])
        if table:
            flow = with_table(flow, table)
    return flow


def _filled(grid: Grid, lines: Sequence[Line]) -> Table | None:
    cells = tuple(_cell(grid, place, lines) for place in grid.cells)
    filled = sum(bool(cell.lines) for cell in cells)
    return Table(grid.bbox, cells) if filled >= max(2, _LEAST_FILLED * len(cells)) else None


def with_table(flow: Iterable[Line | Table], table: Table) -> list[Line | Table]:
    """Return the flow with the table in place of the words inside it.

    A source that reads the table by columns reads other text between them: that above the table comes first.
    """
    before: list[Line | Table] = []
    between: list[Line | Table] = []
    after: list[Line | Table] = []
    is_begun = False
    for item in flow:
        rest = item if isinstance(item, Table) else item.part(lambda word: not has_centre(table.bbox, word))
        if rest is not item:
            is_begun = True
            between, after = [*between, *after], []
        if rest:
            (after if is_begun else before).append(rest)
    above = [item for item in between if item.bbox[3] <= table.bbox[1]]
    return [*before, *above, table, *(item for item in between if item not in above), *after]


def _cell(grid: Grid, place: GridCell, lines: Sequence[Line]) -> TableCell:
    box = grid.box_of(place)
    parts = (line.part(lambda word: has_centre(box, word) and not _is_ruling(word, box)) for line in lines)
    rows = visual_rows([part for part in parts if part])
    return TableCell(place, tuple(line for row in rows for line in row))


def _is_ruling(word: Word, cell: Box) -> bool:
    """Return whether a word is one of the lines around a cell, read as a letter."""
    if not _RULING.fullmatch(word.text):
        return False
    (left, top, right, bottom), height = word.bbox, word.bbox[3] - word.bbox[1]
    return (
        left < cell[0] + height / 4
        or right > cell[2] - height / 4
        or bottom - top > (cell[3] - cell[1]) * 0.8
    )
