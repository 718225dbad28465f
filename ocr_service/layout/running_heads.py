"""Running heads, running feet and page numbers. Pure functions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr_service.layout.headings import Body, is_set_off
from ocr_service.layout.labels import FOOTER, HEADER, NUMBER
from ocr_service.layout.rows import pieces_of, visual_rows
from ocr_service.layout.tables import Table
from ocr_service.layout.words import Line

# A page with fewer rows of text, such as a receipt or a title page, has none.
_FEWEST_ROWS = 8
# Parts of the height of the page, at its top and bottom, in which they stand.
_MARGIN = 0.14
# Their distance from the text, in heights of the small letters; that of two lines of text is about 1.
_GAP = 2.0
# Ratio of letter height to body text; at the size of the body, another sign is needed.
_SMALL = 0.88

_PAGE = r"(?:(?:стр|с|page|p)[a-zа-яё]*\.?\s*)?(?:\d{1,3}|1[0-8]\d\d|[ivxl]{1,6})"  # noqa: RUF001
_PAGE_NUMBER = re.compile(rf"[-–—\[(\s]*{_PAGE}(?:\s*(?:из|of|/|\|)\s*\d{{1,4}})?[-–—\])\s]*", re.IGNORECASE)  # noqa: RUF001
_FOOTNOTE = re.compile(r"(?:\d{1,2}|[*†‡]+)\s")


@dataclass(frozen=True, slots=True)
class RunningHeads:
    """The pieces of the first and of the last row of a page, each with its label, and all between them."""

    top: tuple[tuple[str, Line], ...]
    flow: tuple[Line | Table, ...]
    bottom: tuple[tuple[str, Line], ...]


def without_running_heads(flow: Sequence[Line | Table], height: int, body: Body) -> RunningHeads:
    """Divide the lines and tables of a page, in reading order; height: of the page in pixels."""
    rows = visual_rows([item for item in flow if isinstance(item, Line)])
    if len(rows) < 2 or len(rows) + sum(table.row_count for table in _tables(flow)) < _FEWEST_ROWS:
        return RunningHeads((), tuple(flow), ())
    first, last = rows[0], rows[-1]
    below = min(item.bbox[1] for item in flow if item not in first) - max(line.bbox[3] for line in first)
    above = min(line.bbox[1] for line in last) - max(item.bbox[3] for item in flow if item not in last)
    is_head = max(line.bbox[3] for line in first) < height * _MARGIN and below >= _GAP * body.height
    is_foot = min(line.bbox[1] for line in last) > height * (1 - _MARGIN) and above >= _GAP * body.height
    bottom = _labelled(last, FOOTER, body) if is_foot else ()
    has_number = any(label == NUMBER for label, _ in bottom)
    top = _labelled(first, HEADER, body, has_number) if is_head else ()
    taken = [*(first if top else ()), *(last if bottom else ())]
    return RunningHeads(top, tuple(item for item in flow if item not in taken), bottom)


def _tables(flow: Iterable[Line | Table]) -> list[Table]:
    return [item for item in flow if isinstance(item, Table)]


def _labelled(
    row: Sequence[Line], label: str, body: Body, has_number: bool = False
) -> tuple[tuple[str, Line], ...]:
    """Return the pieces of a row with their labels; nothing if the row can be text of the page.

    has_number: whether the page has its number elsewhere.
    """
    pieces = [piece for line in row for piece in pieces_of(line)]
    numbers = [bool(_PAGE_NUMBER.fullmatch(piece.text)) for piece in pieces]
    if not (any(numbers) or _is_running(pieces, body, has_number)):
        return ()
    return tuple((NUMBER if number else label, piece) for number, piece in zip(numbers, pieces, strict=True))


def _is_running(pieces: Sequence[Line], body: Body, has_number: bool) -> bool:
    """Return whether a row without the page number is a running head.

    It is in small type, or divided, with the number elsewhere on the page or the same text at both ends.
    """
    if any(is_set_off(piece, body) for piece in pieces) or _FOOTNOTE.match(pieces[0].text):
        return False
    is_small = all(piece.height <= body.height * _SMALL for piece in pieces)
    is_divided = len(pieces) > 1 and (has_number or pieces[0].text == pieces[-1].text)
    return is_small or is_divided
