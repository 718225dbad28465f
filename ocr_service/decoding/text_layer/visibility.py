"""Which words of the text layer are seen on the page.

Words that are clipped, covered, or white on white are probably not seen. Only the drawn page could tell.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ocr_service.decoding.text_layer.characters import Piece
from ocr_service.decoding.text_layer.geometry import Rect
from ocr_service.decoding.text_layer.painting import Painting

# Height above the base line at which a word is looked at, as a share of the font size.
_MIDDLE = 0.3


@dataclass(frozen=True, slots=True)
class SortedPieces:
    """The words of a page.

    invisible: drawn without ink, usually the text of another OCR. hidden: probably not seen.
    """

    visible: list[Piece] = field(default_factory=list)
    invisible: list[Piece] = field(default_factory=list)
    hidden: list[Piece] = field(default_factory=list)


def sort(pieces: Iterable[Piece], painting: Painting) -> SortedPieces:
    """Sort the words of a page; those outside of the page are dropped."""
    found = SortedPieces()
    for piece in pieces:
        x, y = _middle(piece)
        if not painting.page.contains(x, y):
            continue
        if not piece.style.is_visible:
            found.invisible.append(piece)
        elif _is_hidden(piece, x, y, painting):
            found.hidden.append(piece)
        else:
            found.visible.append(piece)
    return found


def _middle(piece: Piece) -> tuple[float, float]:
    (x0, y0), (x1, y1) = piece.start, piece.end
    rise, angle = _MIDDLE * piece.style.size, math.radians(piece.style.angle)
    return (x0 + x1) / 2 - rise * math.sin(angle), (y0 + y1) / 2 + rise * math.cos(angle)


def _is_hidden(piece: Piece, x: float, y: float, painting: Painting) -> bool:
    source = piece.style.source
    if source in painting.clips and not painting.clips[source].contains(x, y):
        return True
    position = painting.positions.get(source, 0)
    if any(cover.position > position and cover.rect.contains(x, y) for cover in painting.covers):
        return True
    return piece.style.is_white and not any(rect.contains(x, y) for rect in painting.backgrounds)


def covered_share(page: Rect, rects: Iterable[Rect], cells: int = 20) -> float:
    """Return the share of a page that boxes cover, measured on a grid."""
    boxes = list(rects)
    if not boxes or not page.area:
        return 0.0
    points = [
        (page.left + page.width * (column + 0.5) / cells, page.bottom + page.height * (row + 0.5) / cells)
        for column in range(cells)
        for row in range(cells)
    ]
    return sum(any(box.contains(x, y) for box in boxes) for x, y in points) / len(points)
