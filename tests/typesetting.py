"""Typeset pages whose words and lines are known: tables, rows, headings and running heads, at 200 dpi."""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate, pairwise

from PIL import Image, ImageDraw, ImageFont

from ocr_service.layout.words import Line, Word, enclosing
from tests.samples import wrap

_FONTS = "/usr/share/fonts/truetype/liberation/Liberation"
LEFT, WIDTH = 150, 1350
SIZE = 33
LEADING = 44
# Text of a cell that continues the cell to its left, or the cell above.
MERGED_LEFT, MERGED_UP = "<", "^"


@cache
def font(face: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a font of Liberation; face: such as "Serif-Bold"."""
    return ImageFont.truetype(f"{_FONTS}{face}.ttf", size)


class Sheet:
    """A page, and its lines in the order in which they were drawn."""

    def __init__(self, size: tuple[int, int] = (1654, 2339)) -> None:
        self.image = Image.new("L", size, 255)
        self.pen = ImageDraw.Draw(self.image)
        self.lines: list[Line] = []

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        face: str = "Serif-Regular",
        size: int = SIZE,
        anchor: str = "l",
        opens: bool = True,
    ) -> None:
        """Draw one line; anchor: `l`, `m` or `r`, the part of it that is at x."""
        self.row([(text, x, anchor)], y, face=face, size=size, opens=opens)

    def row(
        self,
        cells: Sequence[tuple[str, float, str]],
        y: float,
        *,
        face: str = "Serif-Regular",
        size: int = SIZE,
        opens: bool = False,
    ) -> None:
        """Draw texts beside each other, which are read as one line."""
        words = [word for text, x, anchor in cells for word in self._draw(text, x, y, face, size, anchor)]
        box = enclosing(word.bbox for word in words)
        x_height = -font(face, size).getbbox("x", anchor="ls")[1]
        self.lines.append(Line(tuple(words), box, x_height, opens_block=opens, opens_paragraph=opens))

    def paragraph(
        self, text: str, y: float, *, x: float = LEFT, width: int = WIDTH, indent: int = 0
    ) -> float:
        """Draw a paragraph, and return the y below it."""
        rows = wrap(text, font("Serif-Regular", SIZE), width - indent)
        for number, row in enumerate(rows):
            self.write(row, x + (indent if number == 0 else 0), y, opens=number == 0)
            y += LEADING
        return y

    def table(
        self,
        rows: Sequence[Sequence[str]],
        y: int,
        widths: Sequence[int],
        *,
        x: int = LEFT,
        height: int = 52,
        rule: int = 3,
        numbers: Sequence[int] = (),
    ) -> float:
        """Draw a ruled table, and return the y below it; numbers: columns aligned to the right."""
        xs = list(accumulate(widths, initial=x))
        ys = list(accumulate([height] * len(rows), initial=y))
        for row, (top, bottom) in enumerate(pairwise(ys)):
            for column, (left, right) in enumerate(pairwise(xs)):
                text = rows[row][column]
                if text != MERGED_UP:
                    self.pen.line((left, top, right, top), fill=0, width=rule)
                if text != MERGED_LEFT:
                    self.pen.line((left, top, left, bottom), fill=0, width=rule)
                if text not in ("", MERGED_LEFT, MERGED_UP):
                    place = (right - 12, "r") if column in numbers else (left + 12, "l")
                    self._cell(text, *place, top + 8)
        self.pen.line((xs[0], ys[-1], xs[-1], ys[-1]), fill=0, width=rule)
        self.pen.line((xs[-1], ys[0], xs[-1], ys[-1]), fill=0, width=rule)
        return ys[-1]

    def _cell(self, text: str, x: float, anchor: str, y: float) -> None:
        for number, part in enumerate(text.split("\n")):
            self.write(part, x, y + number * 38, size=30, anchor=anchor)

    def _draw(self, text: str, x: float, y: float, face: str, size: int, anchor: str) -> list[Word]:
        drawn = font(face, size)
        left = x - drawn.getlength(text) * {"l": 0, "m": 0.5, "r": 1}[anchor]
        self.pen.text((left, y), text, font=drawn, fill=0)
        words, begin = [], 0
        for part in text.split():
            begin = text.index(part, begin)
            box = drawn.getbbox(part)
            offset = left + drawn.getlength(text[:begin])
            place = tuple(map(round, (offset + box[0], y + box[1], offset + box[2], y + box[3])))
            words.append(Word(part, (place[0], place[1], place[2], place[3]), 0.9))
            begin += len(part)
        return words
