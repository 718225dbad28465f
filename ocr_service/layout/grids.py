"""Ruling lines → grids: the positions and the cells of ruled tables. Pure functions."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from ocr_service.layout.rulings import Rulings, Segment
from ocr_service.layout.words import Box

# Lines that are nearer to each other than this share of the page's longer side are one line.
_TOLERANCE = 0.004
# Share of the edge between two cells that must be drawn to separate them.
_DRAWN = 0.5

# Row and column.
_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell of a grid: its first row and column, from 0, and the numbers of them that it spans."""

    row: int
    column: int
    rows: int = 1
    columns: int = 1

    def joined(self, other: "GridCell") -> "GridCell":
        """Return the smallest cell that contains both."""
        row, column = min(self.row, other.row), min(self.column, other.column)
        rows = max(self.row + self.rows, other.row + other.rows) - row
        columns = max(self.column + self.columns, other.column + other.columns) - column
        return GridCell(row, column, rows, columns)

    @property
    def places(self) -> Iterator[_Place]:
        """The rows and columns that the cell covers."""
        return product(range(self.row, self.row + self.rows), range(self.column, self.column + self.columns))


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table without its text.

    xs, ys: positions of the lines between columns and between rows, in pixels, sorted; the outer ones too.
    cells: in reading order; they cover the grid without overlap.
    """

    xs: tuple[int, ...]
    ys: tuple[int, ...]
    cells: tuple[GridCell, ...]

    @property
    def bbox(self) -> Box:
        """The outer lines."""
        return self.xs[0], self.ys[0], self.xs[-1], self.ys[-1]

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.xs[-1] - self.xs[0]) * (self.ys[-1] - self.ys[0])

    def box_of(self, cell: GridCell) -> Box:
        """Return the lines around a cell."""
        right, bottom = self.xs[cell.column + cell.columns], self.ys[cell.row + cell.rows]
        return self.xs[cell.column], self.ys[cell.row], right, bottom


def find_grids(rulings: Rulings, size: tuple[int, int]) -> list[Grid]:
    """Return the grids with at least two rows and two columns of cells; size: of the page in pixels."""
    tolerance = max(size) * _TOLERANCE
    grids = (_grid(group, tolerance) for group in _crossing(rulings, tolerance))
    return [grid for grid in grids if grid is not None]


def _crossing(rulings: Rulings, tolerance: float) -> Iterator[Rulings]:
    """Yield groups of lines that cross or touch each other, directly or through others."""
    unseen = _Lines(rulings.horizontal), _Lines(rulings.vertical)
    for first in rulings.horizontal:
        if not unseen[0].remove(first):
            continue
        group, waiting = (set[Segment](), set[Segment]()), [(0, first)]
        while waiting:
            side, line = waiting.pop()
            group[side].add(line)
            waiting += [(1 - side, other) for other in unseen[1 - side].take_touching(line, tolerance)]
        yield Rulings(tuple(group[0]), tuple(group[1]))


class _Lines:
    """Parallel lines by their place: a drawing has thousands of them."""

    def __init__(self, lines: Iterable[Segment]) -> None:
        self._at: dict[int, set[Segment]] = {}
        for line in lines:
            self._at.setdefault(line.at, set()).add(line)
        self._places = sorted(self._at)

    def remove(self, line: Segment) -> bool:
        """Remove a line; return whether it was there."""
        is_there = line in self._at[line.at]
        self._at[line.at].discard(line)
        return is_there

    def take_touching(self, across: Segment, tolerance: float) -> Iterator[Segment]:
        """Remove and yield the lines that a line across them touches."""
        first = bisect_left(self._places, across.start - tolerance)
        last = bisect_right(self._places, across.end + tolerance)
        for place in self._places[first:last]:
            lines = self._at[place]
            touching = [line for line in lines if line.start - tolerance <= across.at <= line.end + tolerance]
            lines.difference_update(touching)
            yield from touching


def _grid(group: Rulings, tolerance: float) -> Grid | None:
    horizontal = _with_open_sides(group.horizontal, group.vertical, tolerance)
    vertical = _with_open_sides(group.vertical, group.horizontal, tolerance)
    rows, columns = _positions(horizontal, tolerance), _positions(vertical, tolerance)
    if len(rows) < 3 or len(columns) < 3:
        return None
    xs, ys = tuple(columns), tuple(rows)
    cells = _cells(columns, rows)
    grid = Grid(xs, ys, tuple(sorted(cells, key=lambda cell: (cell.row, cell.column))))
    return grid if _has_rows_and_columns(grid) else None


def _has_rows_and_columns(grid: Grid) -> bool:
    """Return whether cells lie beside each other in two rows; a frame, or boxes in a row, are no table."""
    in_row = [sum(cell.row == row for cell in grid.cells) for row in range(len(grid.ys) - 1)]
    return sum(count >= 2 for count in in_row) >= 2


def _with_open_sides(
    lines: Sequence[Segment], across: Sequence[Segment], tolerance: float
) -> Sequence[Segment]:
    """Add the outer lines of a table that is open at its sides: the ends of the lines across."""
    if not lines or len(across) < 2:
        return lines
    first, last = min(line.at for line in lines), max(line.at for line in lines)
    before = sorted(line.start for line in across if line.start < first - 3 * tolerance)
    after = sorted(line.end for line in across if line.end > last + 3 * tolerance)
    start, end = min(line.at for line in across), max(line.at for line in across)
    ends = [side[len(side) // 2] for side in (before, after) if len(side) >= 2]
    return [*lines, *(Segment(at, start, end) for at in ends)]


def _positions(lines: Iterable[Segment], tolerance: float) -> dict[int, list[Segment]]:
    """Group lines at nearly the same position: from the mean position to the lines, sorted."""
    groups: list[list[Segment]] = []
    for line in sorted(lines, key=lambda line: line.at):
        if groups and line.at - groups[-1][-1].at <= tolerance:
            groups[-1].append(line)
        else:
            groups.append([line])
    return {round(sum(line.at for line in group) / len(group)): group for group in groups}


def _cells(columns: dict[int, list[Segment]], rows: dict[int, list[Segment]]) -> Iterable[GridCell]:
    """Return the cells, each a rectangle; two places without a line between them belong to one cell."""
    xs, ys = list(pairwise(columns)), list(pairwise(rows))
    open_to: dict[_Place, list[_Place]] = {place: [] for place in product(range(len(ys)), range(len(xs)))}
    for (row, column), neighbours in open_to.items():
        (top, bottom), (left, right) = ys[row], xs[column]
        if column and not _is_drawn(columns[left], top, bottom):
            neighbours.append((row, column - 1))
        if row and not _is_drawn(rows[top], left, right):
            neighbours.append((row - 1, column))
        for neighbour in neighbours:
            open_to[neighbour].append((row, column))
    return _without_overlaps(_areas(open_to))


def _areas(open_to: Mapping[_Place, Iterable[_Place]]) -> Iterator[GridCell]:
    """Yield the rectangle around each group of places that are open to each other."""
    unseen = set(open_to)
    while unseen:
        waiting = [unseen.pop()]
        area = GridCell(*waiting[0])
        while waiting:
            place = waiting.pop()
            area = area.joined(GridCell(*place))
            reached = unseen.intersection(open_to[place])
            unseen -= reached
            waiting += reached
        yield area


def _without_overlaps(areas: Iterable[GridCell]) -> Iterable[GridCell]:
    """Join the areas that overlap, and those that overlap what comes of it."""
    cells: dict[_Place, GridCell] = {}
    for each in areas:
        area = each
        while overlapped := {cells[place] for place in area.places if place in cells}:
            for cell in overlapped:
                area = area.joined(cell)
                for place in cell.places:
                    del cells[place]
        cells.update(dict.fromkeys(area.places, area))
    return set(cells.values())


def _is_drawn(lines: Iterable[Segment], start: int, end: int) -> bool:
    """Return whether lines at one position cover enough of the way from start to end."""
    drawn, reached = 0, start
    for line in sorted(lines, key=lambda line: line.start):
        drawn += max(0, min(line.end, end) - max(line.start, reached))
        reached = max(reached, min(line.end, end))
    return drawn >= (end - start) * _DRAWN
