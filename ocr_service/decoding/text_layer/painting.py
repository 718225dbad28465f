"""The objects that a PDF page is painted with: pictures, fills, lines, and letters drawn as shapes.

Objects inside of a form have the coordinates of the form.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.decoding.text_layer.geometry import IDENTITY, Matrix, Rect

# Forms inside of forms that are followed, and objects of a page that are looked at.
_MAX_DEPTH = 41
_MAX_OBJECTS = 20_000

# In points. A rule is thinner than this, a picture or a fill with content larger than that.
_MAX_RULE = 3.0
_MIN_AREA = 30.0
# A letter that is drawn as a shape: its height in points, and the number of its lines and curves.
_LETTER_HEIGHT = (3.0, 40.0)
_LETTER_SEGMENTS = (9, 200)
_RECTANGLE_SEGMENTS = (4, 5)
_OPAQUE = 200
_WHITE = 240
# Segments of a clip path: with more, its box says too little.
_MAX_CLIP_SEGMENTS = 12

_Pointer = Any


@dataclass(frozen=True, slots=True)
class Cover:
    """An opaque rectangle, or a picture: what was painted before it is covered."""

    position: int
    rect: Rect


@dataclass(slots=True)
class Painting:
    """What a page is painted with, in units of the page.

    page: the visible part. point: units in a point. positions: position of each text object in the order of
    painting, by its address. clips: the part of the page that a text object is limited to, by its address.
    backgrounds: fills on which white text is seen.
    rules: thin lines. letters: shapes that look like letters. is_complete: False if there are too many
    objects.
    """

    page: Rect
    point: float = 1.0
    positions: dict[int, int] = field(default_factory=dict)
    clips: dict[int, Rect] = field(default_factory=dict)
    pictures: list[Rect] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)
    backgrounds: list[Rect] = field(default_factory=list)
    rules: list[Rect] = field(default_factory=list)
    letters: list[Rect] = field(default_factory=list)
    others: int = 0
    is_complete: bool = True

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all is painted."""
        painted = self.positions, self.pictures, self.covers, self.rules, self.letters, self.others
        return not any(painted)


def painting_of(page: pdfium.PdfPage, rect: Rect, point: float) -> Painting:
    """Return what a page is painted with; rect: the visible part of the page. point: units in a point."""
    painting = Painting(rect, point)
    reader = _Reader(painting)
    for position, (found, matrix) in enumerate(_objects(page)):
        if position == _MAX_OBJECTS:
            painting.is_complete = False
            break
        reader.read(found, position, matrix)
    return painting


def _objects(page: pdfium.PdfPage) -> Iterator[tuple[_Pointer, Matrix]]:
    for number in range(pdfium_c.FPDFPage_CountObjects(page)):
        yield from _with_parts(pdfium_c.FPDFPage_GetObject(page, number), IDENTITY, _MAX_DEPTH)


def _with_parts(found: _Pointer, matrix: Matrix, depth: int) -> Iterator[tuple[_Pointer, Matrix]]:
    """Yield an object, or the objects of a form, with the map from their coordinates to the page."""
    if pdfium_c.FPDFPageObj_GetType(found) != pdfium_c.FPDF_PAGEOBJ_FORM:
        yield found, matrix
    elif depth:
        raw = pdfium_c.FS_MATRIX()
        pdfium_c.FPDFPageObj_GetMatrix(found, raw)
        inner = Matrix.of(raw).then(matrix)
        for number in range(pdfium_c.FPDFFormObj_CountObjects(found)):
            yield from _with_parts(pdfium_c.FPDFFormObj_GetObject(found, number), inner, depth - 1)


class _Reader:
    """Sorts the objects into a `Painting`."""

    def __init__(self, painting: Painting) -> None:
        self._painting = painting
        self._edges = [ctypes.c_float() for _ in range(4)]
        self._colour = [ctypes.c_uint() for _ in range(4)]
        self._x, self._y = ctypes.c_float(), ctypes.c_float()

    def read(self, found: _Pointer, position: int, matrix: Matrix) -> None:
        kind = pdfium_c.FPDFPageObj_GetType(found)
        if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
            self._read_text(found, position, matrix)
        elif kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            self._read_picture(found, position, matrix)
        elif kind == pdfium_c.FPDF_PAGEOBJ_PATH:
            self._read_path(found, position, matrix)
        else:
            self._read_shading(found, matrix)

    def _read_shading(self, found: _Pointer, matrix: Matrix) -> None:
        self._painting.others += 1
        self._painting.backgrounds.append(self._bounds(found, matrix))

    def _read_text(self, found: _Pointer, position: int, matrix: Matrix) -> None:
        address = ctypes.addressof(found.contents)
        self._painting.positions[address] = position
        if (clip := self._clip(found, matrix)) is not None:
            self._painting.clips[address] = clip

    def _read_picture(self, found: _Pointer, position: int, matrix: Matrix) -> None:
        rect = self._bounds(found, matrix)
        clip = self._clip(found, matrix)
        shown = rect.common(self._painting.page) if clip is None else rect.common(clip)
        point = self._painting.point
        if shown.area >= _MIN_AREA * point**2 and min(shown.width, shown.height) > _MAX_RULE * point:
            self._painting.pictures.append(shown)
            self._painting.covers.append(Cover(position, shown))
            self._painting.backgrounds.append(shown)
        elif shown.area:
            self._painting.others += 1

    def _read_path(self, found: _Pointer, position: int, matrix: Matrix) -> None:
        rect = self._bounds(found, matrix)
        if not rect.common(self._painting.page).area and min(rect.width, rect.height) > 0:
            return
        if min(rect.width, rect.height) <= _MAX_RULE:
            self._painting.rules.append(rect)
            return
        segments = pdfium_c.FPDFPath_CountSegments(found)
        is_rectangle = segments in _RECTANGLE_SEGMENTS
        if not self._is_filled(found):
            self._painting.rules.extend(_sides(self._path(found, segments, matrix)) if is_rectangle else ())
            self._painting.others += not is_rectangle
        elif not is_rectangle and _looks_like_letter(rect, segments):
            self._painting.letters.append(rect)
        else:
            self._read_fill(found, position, matrix, rect)

    def _is_filled(self, found: _Pointer) -> bool:
        mode, stroke = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDFPath_GetDrawMode(found, mode, stroke)
        return bool(mode.value != pdfium_c.FPDF_FILLMODE_NONE)

    def _read_fill(self, found: _Pointer, position: int, matrix: Matrix, rect: Rect) -> None:
        self._painting.others += 1
        if not pdfium_c.FPDFPageObj_GetFillColor(found, *self._colour):
            # A pattern, which can hold a picture.
            self._painting.pictures.append(rect.common(self._painting.page))
            return
        red, green, blue, alpha = (value.value for value in self._colour)
        is_rectangle = pdfium_c.FPDFPath_CountSegments(found) in _RECTANGLE_SEGMENTS
        if is_rectangle and alpha >= _OPAQUE and not pdfium_c.FPDFPageObj_HasTransparency(found):
            clip = self._clip(found, matrix)
            self._painting.covers.append(Cover(position, rect if clip is None else rect.common(clip)))
        if min(red, green, blue) < _WHITE:
            self._painting.backgrounds.append(rect)

    def _bounds(self, found: _Pointer, matrix: Matrix) -> Rect:
        if not pdfium_c.FPDFPageObj_GetBounds(found, *self._edges):
            return Rect(0.0, 0.0, 0.0, 0.0)
        left, bottom, right, top = (edge.value for edge in self._edges)
        return matrix.rect(Rect(left, bottom, right, top))

    def _path(self, found: _Pointer, segments: int, matrix: Matrix) -> Rect:
        """Return the box of a path without its stroke.

        PDFium widens the bounds by the whole stroke on each side, so two cells would not share their side.
        """
        raw = pdfium_c.FS_MATRIX()
        pdfium_c.FPDFPageObj_GetMatrix(found, raw)
        to_page = Matrix.of(raw).then(matrix)
        parts = (pdfium_c.FPDFPath_GetPathSegment(found, number) for number in range(segments))
        return Rect.around([to_page.point(*self._point(part)) for part in parts])

    def _clip(self, found: _Pointer, matrix: Matrix) -> Rect | None:
        """Return the box of the clip paths of an object; None without one."""
        clip = pdfium_c.FPDFPageObj_GetClipPath(found)
        count = pdfium_c.FPDFClipPath_CountPaths(clip) if clip else 0
        rect = self._painting.page
        for path in range(count):
            segments = pdfium_c.FPDFClipPath_CountPathSegments(clip, path)
            if 0 < segments <= _MAX_CLIP_SEGMENTS:
                parts = (pdfium_c.FPDFClipPath_GetPathSegment(clip, path, part) for part in range(segments))
                rect = rect.common(matrix.rect(Rect.around([self._point(part) for part in parts])))
        return rect if count > 0 else None

    def _point(self, segment: _Pointer) -> tuple[float, float]:
        pdfium_c.FPDFPathSegment_GetPoint(segment, self._x, self._y)
        return self._x.value, self._y.value


def _looks_like_letter(rect: Rect, segments: int) -> bool:
    fewest, most = _LETTER_SEGMENTS
    lowest, highest = _LETTER_HEIGHT
    is_high = lowest <= rect.height <= highest
    return fewest <= segments <= most and is_high and rect.width <= 2 * rect.height


def _sides(rect: Rect) -> Iterator[Rect]:
    left, bottom, right, top = rect
    yield Rect(left, bottom, right, bottom)
    yield Rect(left, top, right, top)
    yield Rect(left, bottom, left, top)
    yield Rect(right, bottom, right, top)
