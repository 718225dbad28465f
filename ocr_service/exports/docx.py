"""A document as a Word file: headings, lists, tables with merged cells, pictures and formulas."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import docx
from docx.document import Document
from docx.enum.text import WD_BREAK
from docx.image.exceptions import UnrecognizedImageError
from docx.shared import Emu, Inches
from docx.table import _Cell
from docx.text.paragraph import Paragraph
from lxml import html as lxml_html

from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.core.xml_text import xml_text
from ocr_service.exports.notes import notes_of
from ocr_service.exports.office_math import office_math
from ocr_service.exports.safe_html import safe_html

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Python refuses to read numbers of thousands of digits.
_SPAN = re.compile("[0-9]{1,9}")
# Inline elements, and the attributes of a run that they set.
_STYLES: Mapping[str, str] = {
    "strong": "bold",
    "b": "bold",
    "em": "italic",
    "i": "italic",
    "u": "underline",
    "s": "strike",
    "del": "strike",
    "sub": "subscript",
    "sup": "superscript",
}
# The numbers of the page are text: the style "List Number" counts on from one list to the next.
_LISTS = {"ul": "List Bullet", "ol": "List"}
# Word has three levels of these styles: "List Bullet", "List Bullet 2", "List Bullet 3".
_LIST_LEVELS = 3
# Of the empty document that python-docx begins with.
_TEXT_WIDTH = Inches(6)
_BLOCKS = frozenset((*_HEADINGS, *_LISTS, "p", "div", "table", "blockquote", "pre", "hr"))


def to_docx(result: DocumentResult, title: str, formulas: bool) -> bytes:
    """Return the document as a Word file; each page begins on a new one, also a page that failed.

    title: of the file, as plain text. formulas: whether `$…$` in the Markdown is LaTeX.
    """
    document = docx.Document()
    document.core_properties.title = xml_text(title)[:255]
    for number, page in enumerate(result.pages):
        if number:
            document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
        for note in notes_of(page):
            document.add_paragraph(xml_text(note.text), style="Intense Quote")
        _Page(document, page).add(safe_html(page.markdown, partial(_known, page.images), formulas))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


@dataclass(slots=True)
class _Page:
    """Writes the elements of one page into the document."""

    document: Document
    page: PageResult
    lists: list[str] = field(default_factory=list)

    def add(self, html: str) -> None:
        """Add the HTML of the page, which is safe."""
        root = lxml_html.fragment_fromstring(xml_text(html), create_parent="div")
        self._blocks(root, self.document.add_paragraph)

    def _blocks(self, parent: Any, new_paragraph: Callable[[], Paragraph]) -> None:
        """Add the content of an element: its blocks, and its text between them as paragraphs."""
        open_paragraph: Paragraph | None = None
        for piece in _content(parent):
            if not isinstance(piece, str) and piece.tag in _BLOCKS:
                open_paragraph = None
                self._block(piece, new_paragraph)
            elif not isinstance(piece, str) or piece.strip():
                open_paragraph = open_paragraph or new_paragraph()
                self._inline(piece, open_paragraph, frozenset())

    def _block(self, element: Any, new_paragraph: Callable[[], Paragraph]) -> None:
        tag = element.tag
        if tag in _HEADINGS:
            self._inlines(element, self.document.add_heading("", _HEADINGS[tag]))
        elif tag in _LISTS:
            self._list(element)
        elif tag == "table":
            self._table(element, new_paragraph)
        elif tag in ("p", "pre"):
            self._inlines(element, new_paragraph())
        elif tag != "hr":
            self._blocks(element, new_paragraph)

    def _list(self, element: Any) -> None:
        self.lists.append(_LISTS[element.tag])
        level = min(len(self.lists), _LIST_LEVELS)
        style = self.lists[-1] + (f" {level}" if level > 1 else "")
        for place, item in enumerate(element.iterchildren("li"), start=1):
            numbers = [f"{item.get('value', place)}.\t"] if element.tag == "ol" else []
            self._blocks(item, partial(self._item, numbers, style))
        self.lists.pop()

    def _item(self, numbers: list[str], style: str) -> Paragraph:
        """Add a paragraph of a list; the first one of an item takes its number."""
        return self.document.add_paragraph(numbers.pop() if numbers else "", style)

    def _table(self, element: Any, new_paragraph: Callable[[], Paragraph]) -> None:
        if new_paragraph != self.document.add_paragraph:
            # A table in a cell or a list: its text, row by row.
            for row in element.iter("tr"):
                new_paragraph().add_run(" ".join(row.itertext()))
            return
        parts = (element, *element.iterchildren("thead", "tbody", "tfoot"))
        rows = [row for part in parts for row in part.iterchildren("tr")]
        grid, columns = _grid(rows)
        if not grid:
            return
        table = self.document.add_table(len(rows), columns, style="Table Grid")
        places = table._cells  # noqa: SLF001 - `table.cell` makes this list anew for each cell
        for cell, (top, left, bottom, right) in grid:
            first, last = places[top * columns + left], places[bottom * columns + right]
            self._cell(cell, first if first is last else first.merge(last))

    def _cell(self, element: Any, cell: _Cell) -> None:
        first = [cell.paragraphs[0]]
        self._blocks(element, lambda: first.pop() if first else cell.add_paragraph())

    def _inlines(self, element: Any, paragraph: Paragraph) -> None:
        for piece in _content(element):
            self._inline(piece, paragraph, frozenset())

    def _inline(self, piece: Any, paragraph: Paragraph, styles: frozenset[str]) -> None:
        if isinstance(piece, str):
            run = paragraph.add_run(" ".join(piece.rstrip("\n").split("\n")))
            for style in styles:
                setattr(run if style in ("bold", "italic", "underline") else run.font, style, True)
        elif piece.tag == "br":
            paragraph.add_run().add_break()
        elif piece.tag == "img":
            self._picture(piece, paragraph)
        elif piece.tag == "math":
            self._formula(piece, paragraph)
        else:
            inner = styles | ({_STYLES[piece.tag]} if piece.tag in _STYLES else set())
            for part in _content(piece):
                self._inline(part, paragraph, inner)

    def _picture(self, element: Any, paragraph: Paragraph) -> None:
        """Add a picture of the page; another one is not loaded, and its description stands for it."""
        image = self.page.images.get(element.get("src", ""))
        try:
            if image is not None:
                shape = paragraph.add_run().add_picture(io.BytesIO(image))
                _fit(shape)
                return
        except UnrecognizedImageError:
            pass
        paragraph.add_run(element.get("alt", ""))

    def _formula(self, element: Any, paragraph: Paragraph) -> None:
        formula = office_math(element)
        if formula is None:
            paragraph.add_run(element.get("alttext", ""))
        else:
            paragraph._p.append(formula)  # noqa: SLF001 - python-docx has no formulas


def _known(images: Mapping[str, bytes], path: str) -> str | None:
    return path if path in images else None


def _content(element: Any) -> list[Any]:
    """Return the texts and elements in an element, in order."""
    pieces = [element.text] if element.text else []
    for child in element:
        pieces.append(child)
        if child.tail:
            pieces.append(child.tail)
    return pieces


def _grid(rows: list[Any]) -> tuple[list[tuple[Any, tuple[int, int, int, int]]], int]:
    """Return each cell with its first and last row and column, and the number of columns.

    As in HTML, a cell takes the first free places of its row.
    """
    taken: set[tuple[int, int]] = set()
    cells = []
    for top, row in enumerate(rows):
        left = 0
        for cell in row.iterchildren("td", "th"):
            while (top, left) in taken:
                left += 1
            bottom = min(top + _span(cell, "rowspan"), len(rows)) - 1
            right = left + _span(cell, "colspan") - 1
            while any((top, column) in taken for column in range(left, right + 1)):
                right -= 1
            taken.update((y, x) for y in range(top, bottom + 1) for x in range(left, right + 1))
            cells.append((cell, (top, left, bottom, right)))
    return cells, 1 + max((column for _, column in taken), default=0)


def _span(cell: Any, name: str) -> int:
    # Word has at most 63 columns, and a page no more rows than this.
    return min(max(int(text), 1), 63) if _SPAN.fullmatch(text := cell.get(name, "1")) else 1


def _fit(shape: Any) -> None:
    """Shrink a picture to the width of the text."""
    if shape.width > _TEXT_WIDTH:
        shape.height = Emu(int(shape.height * _TEXT_WIDTH / shape.width))
        shape.width = _TEXT_WIDTH
