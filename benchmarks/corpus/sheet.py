"""A page that is written from the top down, as a PDF with embedded fonts and with its truth."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from benchmarks.corpus.truth import Part, PartKind, Rows, part_of_rows

_FONTS = Path("/usr/share/fonts/truetype")
_FAMILIES = {
    "Liberation Serif": ("liberation/LiberationSerif-Regular", "liberation/LiberationSerif-Bold"),
    "Liberation Sans": ("liberation/LiberationSans-Regular", "liberation/LiberationSans-Bold"),
    "DejaVu Serif": ("dejavu/DejaVuSerif", "dejavu/DejaVuSerif-Bold"),
    "DejaVu Sans": ("dejavu/DejaVuSans", "dejavu/DejaVuSans-Bold"),
    "Carlito": ("crosextra/Carlito-Regular", "crosextra/Carlito-Bold"),
}
_MONOSPACED = {"Liberation Mono": ("liberation/LiberationMono-Regular", "liberation/LiberationMono-Bold")}

A4 = (595.0, 842.0)
Align = Literal["left", "center", "right", "justify"]


@cache
def _register(file: str) -> str:
    name = Path(file).name
    pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{file}.ttf")))
    return name


@dataclass(frozen=True, slots=True)
class Style:
    """Fonts of a page, and the size of its body text in points."""

    regular: str
    bold: str
    size: float


def random_style(random: Random, monospaced: bool = False) -> Style:
    """Choose fonts and a size."""
    families = _MONOSPACED if monospaced else _FAMILIES
    regular, bold = families[random.choice(sorted(families))]
    return Style(
        _register(regular), _register(bold), 8.5 if monospaced else random.choice([10.0, 10.5, 11.0, 12.0])
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of rows without rules; edge: the left edge, or the right one if it is aligned to the right."""

    edge: float
    align: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True)
class Span:
    """A merged cell of a ruled table: its first row and column, and the number of both."""

    row: int
    column: int
    rows: int = 1
    columns: int = 1


class Sheet:
    """Draws and records. left, right, y: the column of text and the place of the next line, in points."""

    def __init__(self, style: Style, size: tuple[float, float] = A4, margin: float = 64) -> None:
        self.style = style
        self.width, self.height = size
        self.left, self.right = margin, self.width - margin
        self.y = self.height - margin
        self.parts: list[Part] = []
        self._file = io.BytesIO()
        self.canvas = Canvas(self._file, pagesize=size, invariant=1)

    def pdf(self) -> bytes:
        """Finish the page."""
        self.canvas.showPage()
        self.canvas.save()
        return self._file.getvalue()

    def skip(self, lines: float) -> None:
        """Leave some lines empty."""
        self.y -= lines * self.leading()

    def leading(self, scale: float = 1.0) -> float:
        """Distance of lines in points."""
        return 1.3 * scale * self.style.size

    def write(
        self,
        text: str,
        kind: PartKind = "text",
        bold: bool = False,
        scale: float = 1.0,
        align: Align = "left",
        indent: float = 0.0,
    ) -> None:
        """Write a paragraph; scale: its size in sizes of the body text."""
        font, size = (self.style.bold if bold else self.style.regular), scale * self.style.size
        lines = simpleSplit(text, font, size, self.right - self.left - indent)
        for number, line in enumerate(lines):
            last = number == len(lines) - 1
            self.y -= self.leading(scale)
            self._line(line, font, size, "left" if last and align == "justify" else align, indent)
        self.parts.append(Part(kind, text))

    def heading(self, text: str, scale: float = 1.0, align: Align = "left") -> None:
        """Write a bold heading with space around it."""
        self.skip(0.6)
        self.write(text, "heading", bold=True, scale=scale, align=align)
        self.skip(0.3)

    def _line(self, line: str, font: str, size: float, align: Align, indent: float) -> None:
        self.canvas.setFont(font, size)
        if align == "center":
            self.canvas.drawCentredString((self.left + self.right) / 2, self.y, line)
        elif align == "right":
            self.canvas.drawRightString(self.right, self.y, line)
        elif align == "justify":
            self._justified(line, font, size, indent)
        else:
            self.canvas.drawString(self.left + indent, self.y, line)

    def _justified(self, line: str, font: str, size: float, indent: float) -> None:
        words = line.split()
        widths = [pdfmetrics.stringWidth(word, font, size) for word in words]
        gap = (self.right - self.left - indent - sum(widths)) / max(1, len(words) - 1)
        x = self.left + indent
        for word, width in zip(words, widths, strict=True):
            self.canvas.drawString(x, self.y, word)
            x += width + gap

    def rows(
        self,
        rows: Sequence[Sequence[str]],
        columns: Sequence[Column],
        bold: bool = False,
        spacing: float = 1.0,
    ) -> None:
        """Write rows without rules."""
        self.canvas.setFont(self.style.bold if bold else self.style.regular, self.style.size)
        for row in rows:
            self.y -= self.leading() * spacing
            for cell, column in zip(row, columns, strict=True):
                draw = self.canvas.drawRightString if column.align == "right" else self.canvas.drawString
                draw(column.edge, self.y, cell)
        self.parts.append(part_of_rows("rows", rows))

    def ruled(self, rows: Rows, widths: Sequence[float], spans: Sequence[Span] = ()) -> None:
        """Draw a table with a rule around each cell; the first row is bold."""
        height = 1.7 * self.style.size
        edges = [self.left + sum(widths[:number]) for number in range(len(widths) + 1)]
        top = self.y - 0.5 * height
        merged = {(span.row, span.column): span for span in spans}
        hidden = {cell for span in spans for cell in _covered(span)} - merged.keys()
        self.canvas.setLineWidth(0.7)
        for r, row in enumerate(rows):
            self.canvas.setFont(self.style.regular if r else self.style.bold, self.style.size)
            for c, cell in enumerate(row):
                if (r, c) in hidden:
                    continue
                span = merged.get((r, c), Span(r, c))
                width, tall = edges[c + span.columns] - edges[c], span.rows * height
                y = top - r * height - tall
                self.canvas.rect(edges[c], y, width, tall)
                self._cell(cell, edges[c], y + tall / 2 - 0.35 * self.style.size, width)
        self.y = top - len(rows) * height
        self.parts.append(part_of_rows("table", rows))

    def _cell(self, text: str, left: float, y: float, width: float) -> None:
        number = text[:1].isdigit() and not any(letter.isalpha() for letter in text)
        if number:
            self.canvas.drawRightString(left + width - 4, y, text)
        else:
            self.canvas.drawString(left + 4, y, text)


def _covered(span: Span) -> set[tuple[int, int]]:
    rows, columns = range(span.row, span.row + span.rows), range(span.column, span.column + span.columns)
    return {(row, column) for row in rows for column in columns}
