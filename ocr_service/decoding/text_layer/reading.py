"""An open PDF page → its `TextLayer`; nothing is drawn."""

from collections.abc import Sequence

import pypdfium2 as pdfium

from ocr_service.decoding.page_scale import drawn_size
from ocr_service.decoding.text_layer.characters import HYPHENS, PageCharacters, Piece
from ocr_service.decoding.text_layer.columns import Rule
from ocr_service.decoding.text_layer.digits import has_wrong_digits
from ocr_service.decoding.text_layer.flaws import flaw_of
from ocr_service.decoding.text_layer.geometry import Matrix, Rect
from ocr_service.decoding.text_layer.lines import box_of, lines_of
from ocr_service.decoding.text_layer.painting import Painting, painting_of
from ocr_service.decoding.text_layer.plausibility import REPLACEMENT, is_meaningless
from ocr_service.decoding.text_layer.regions import regions_of
from ocr_service.decoding.text_layer.runs import BULLETS, Frame, frames_of
from ocr_service.decoding.text_layer.values import TextLayer
from ocr_service.decoding.text_layer.visibility import sort
from ocr_service.layout.compose import compose
from ocr_service.layout.rulings import Rulings, Segment
from ocr_service.layout.words import Line

_QUARTER = 90
# Points between the ends of lines that are one.
_SAME_LINE = 3.0


def read_text_layer(page: pdfium.PdfPage, scale: float, point: float = 1.0) -> TextLayer:
    """Read the text of an open page; raises PdfiumError.

    scale: pixels per unit of the page as drawn. point: units in a point.
    """
    rect, rotation = Rect(*page.get_bbox()), page.get_rotation()
    painting = painting_of(page, rect, point)
    regions = regions_of(page, painting)
    text_page = page.get_textpage()
    try:
        characters = PageCharacters(text_page)
        found = sort(characters.pieces(), painting)
        wrong_digits = has_wrong_digits(characters, page.pdf)
    finally:
        text_page.close()
    pieces = found.visible or found.invisible
    frames = frames_of(pieces)
    unknown = sum(_unknown(piece) for piece in pieces)
    turned = _turned(frames, rotation)
    drawn = display_matrix(rect, rotation, scale)
    to_pixels = drawn.then(_turning(drawn.rect(rect), turned))
    size = drawn_size(page.get_size(), scale)
    width, height = reversed(size) if turned in (90, 270) else size
    lines = _lines(frames, painting, to_pixels)
    layout = compose(lines, (width, height), _rulings(painting, to_pixels))
    return TextLayer(
        size=(width, height),
        turned=turned,
        blocks=layout.blocks,
        text=layout.text,
        words=tuple(word.bbox for line in lines for word in line.words),
        pictures=tuple(box_of(drawn.rect(region)) for region in regions),
        is_blank=painting.is_blank and not regions,
        flaw=flaw_of(painting, regions, found, frames, unknown, has_wrong_digits=wrong_digits),
        unknown=unknown,
    )


def display_matrix(rect: Rect, rotation: int, scale: float) -> Matrix:
    """Return the map from points of the page to pixels of the page as drawn, y downwards.

    rect: the visible part of the page. rotation: of the page, in degrees clockwise.
    """
    left, bottom, right, top = rect
    moved = {
        0: Matrix(1, 0, 0, -1, -left, top),
        90: Matrix(0, 1, 1, 0, -bottom, -left),
        180: Matrix(-1, 0, 0, 1, right, -bottom),
        270: Matrix(0, -1, -1, 0, top, right),
    }[rotation]
    return moved.then(Matrix(scale, 0, 0, scale, 0, 0))


def _turning(drawn: Rect, degrees: int) -> Matrix:
    """Return the map that turns a drawn page clockwise, in pixels, y downwards."""
    return {
        0: Matrix(1, 0, 0, 1, 0, 0),
        90: Matrix(0, 1, -1, 0, drawn.height, 0),
        180: Matrix(-1, 0, 0, -1, drawn.width, drawn.height),
        270: Matrix(0, -1, 1, 0, 0, drawn.width),
    }[degrees]


def _turned(frames: Sequence[Frame], rotation: int) -> int:
    """Return by how much the drawn page must be turned clockwise to make most of its text upright."""
    angle = (frames[0].angle - rotation) % 360 if frames else 0
    return angle if angle % _QUARTER == 0 else 0


def _lines(frames: Sequence[Frame], painting: Painting, to_pixels: Matrix) -> tuple[Line, ...]:
    return tuple(
        line
        for frame in frames
        for line in lines_of(frame.runs, _rules(painting, frame), frame.to_page.then(to_pixels))
    )


def _rules(painting: Painting, frame: Frame) -> list[Rule]:
    """Return the horizontal lines in the frame of the words; the lines of neighbouring cells are joined."""
    rects = (frame.from_page.rect(rule) for rule in painting.rules)
    flat = [(round(rect.bottom), rect.left, rect.right) for rect in rects if rect.width > rect.height]
    joined: list[Rule] = []
    for at, left, right in sorted(flat):
        last = joined[-1] if joined else None
        if last is not None and last.at == at and left <= last.right + _SAME_LINE:
            joined[-1] = Rule(last.left, max(last.right, right), at)
        else:
            joined.append(Rule(left, right, at))
    return joined


def _rulings(painting: Painting, to_pixels: Matrix) -> Rulings:
    horizontal, vertical = [], []
    for rule in painting.rules:
        left, top, right, bottom = box_of(to_pixels.rect(rule))
        if right - left >= bottom - top:
            horizontal.append(Segment((top + bottom) // 2, left, right))
        else:
            vertical.append(Segment((left + right) // 2, top, bottom))
    return Rulings(tuple(horizontal), tuple(vertical))


def _unknown(piece: Piece) -> int:
    if piece.unknown or (piece.text.isprintable() and REPLACEMENT not in piece.text):
        return piece.unknown
    return sum(map(is_meaningless, piece.text.strip(HYPHENS).translate(BULLETS)))
