"""Places on a page: from the pixels of the engine to the coordinates of a PDF."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import pikepdf

Point = tuple[float, float]
Edges = tuple[float, float, float, float]

# US Letter, which PDFium takes for a page without a size.
_DEFAULT_BOX: Edges = (0.0, 0.0, 612.0, 792.0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The visible part of a page. turn: degrees clockwise by which it is shown turned."""

    left: float
    bottom: float
    right: float
    top: float
    turn: int

    @classmethod
    def of(cls, page: pikepdf.Page) -> Self:
        """Return the visible part of a page as PDFium draws it."""
        media = _edges(page.obj.get("/MediaBox")) or _DEFAULT_BOX
        crop = _common(media, _edges(page.obj.get("/CropBox")) or media) or media
        turn = page.obj.get("/Rotate", 0)
        return cls(*crop, int(turn) // 90 % 4 * 90 if isinstance(turn, int | Decimal) else 0)

    @property
    def shown_size(self) -> tuple[float, float]:
        """Width and height as the page is shown."""
        size = self.right - self.left, self.top - self.bottom
        return size if self.turn in (0, 180) else size[::-1]

    def at(self, x: float, y: float) -> Point:
        """Return a point that is shown x to the right and y down of the upper left corner."""
        if self.turn == 90:
            return self.left + y, self.bottom + x
        if self.turn == 180:
            return self.right - x, self.bottom + y
        if self.turn == 270:
            return self.right - y, self.top - x
        return self.left + x, self.top - y


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixels of a page that an engine has read.

    width, height, rotation: see `PageText`.
    """

    sheet: Sheet
    width: int
    height: int
    rotation: int

    def at(self, x: float, y: float) -> Point:
        """Return the point of the page for a pixel."""
        across, down = self._turned_back(x / self.width, y / self.height)
        width, height = self.sheet.shown_size
        return self.sheet.at(across * width, down * height)

    def _turned_back(self, x: float, y: float) -> Point:
        """Return a point of the page that was turned as one of the page as it is shown, both from 0 to 1."""
        if self.rotation == 90:
            return 1 - y, x
        if self.rotation == 180:
            return 1 - x, 1 - y
        if self.rotation == 270:
            return y, 1 - x
        return x, y


def _edges(box: pikepdf.Object | None) -> Edges | None:
    """Return the edges of a rectangle in ascending order; None if it is none, or empty."""
    if not isinstance(box, pikepdf.Array) or len(box) != 4:
        return None
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return _common((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))


def _common(*boxes: Edges) -> Edges | None:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    left, bottom, right, top = max(lefts), max(bottoms), min(rights), min(tops)
    return (left, bottom, right, top) if left < right and bottom < top else None
