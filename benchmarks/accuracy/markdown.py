"""Headings and tables of Markdown."""

import html
import re
from html.parser import HTMLParser

Grid = list[list[str]]

_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
# The title of a group of rows: the only text of a row, and bold.
_GROUP_TITLE = re.compile(
    r"^\|[ |]*\*\*([^|]+)\*\*[ |]*\|$"
    r"|<tr>(?:<td></td>)*<td[^>]*><b>([^<]+)</b></td>(?:<td></td>)*</tr>",
    re.MULTILINE,
)
_RULE = re.compile(r"^\|[\s:|-]+\|?$")
_ROWS = re.compile(r"(?:^\|.*\n?)+", re.MULTILINE)
_HTML = re.compile(r"<table.*?</table>", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|<>&~-])")


def headings(markdown: str) -> list[str]:
    """Return the texts of the headings, and of the titles of groups of rows."""
    titles = ["".join(found) for found in _GROUP_TITLE.findall(markdown)]
    return [_plain(text) for text in (*_HEADING.findall(markdown), *titles)]


def tables(markdown: str) -> list[Grid]:
    """Return the cells of each table; of merged cells, the first has the text."""
    return [
        *(_html_grid(part) for part in _HTML.findall(markdown)),
        *(_markdown_grid(part) for part in _ROWS.findall(markdown)),
    ]


def _markdown_grid(part: str) -> Grid:
    rows = [row.strip() for row in part.splitlines() if not _RULE.match(row.strip())]
    return [[_plain(cell) for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows]


def _plain(text: str) -> str:
    unmarked = re.sub(r"<br\s*/?>|\*\*", " ", text)
    return html.unescape(_ESCAPE.sub(r"\1", unmarked)).strip()


class _Cells(HTMLParser):
    """Collects (row span, column span, text) of the cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[int, int, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a row or a cell."""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            spans = dict(attrs)
            down, across = (int(spans.get(name) or 1) for name in ("rowspan", "colspan"))
            self.rows[-1].append((down, across, ""))

    def handle_data(self, data: str) -> None:
        """Add text to the last cell."""
        if self.rows and self.rows[-1]:
            down, across, text = self.rows[-1][-1]
            self.rows[-1][-1] = (down, across, f"{text} {data}".strip())


def _html_grid(part: str) -> Grid:
    parser = _Cells()
    parser.feed(part)
    cells: dict[tuple[int, int], str] = {}
    for r, row in enumerate(parser.rows):
        column = 0
        for down, across, text in row:
            while (r, column) in cells:
                column += 1
            for place in ((r + i, column + j) for i in range(down) for j in range(across)):
                cells[place] = ""
            cells[r, column] = text
    width = 1 + max((column for _, column in cells), default=0)
    return [[cells.get((r, column), "") for column in range(width)] for r in range(len(parser.rows))]
