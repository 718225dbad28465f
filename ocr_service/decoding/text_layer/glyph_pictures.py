"""The glyph of a character in a font → a small picture, always of the same size."""

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as pdfium_c
from PIL import Image, ImageChops, ImageDraw

# Pixels of a picture, and by how much larger it is drawn.
WIDTH, HEIGHT = 12, 16
_FINER = 4
_FONT_SIZE = 100.0
# A glyph of more segments is no plain character.
_MAX_SEGMENTS = 400
# Weights of the four points of a Bézier curve at the points to which lines are drawn.
_WEIGHTS = tuple(((1 - u) ** 3, 3 * (1 - u) ** 2 * u, 3 * (1 - u) * u**2, u**3) for u in (1 / 3, 2 / 3, 1.0))

_Point = tuple[float, float]
Outline = tuple[tuple[_Point, ...], ...]


def outline_of(font: Any, character: int) -> Outline:
    """Return the contours of the glyph that a font of PDFium draws for a character; () without one."""
    path = pdfium_c.FPDFFont_GetGlyphPath(font, character, _FONT_SIZE)
    count = pdfium_c.FPDFGlyphPath_CountGlyphSegments(path) if path else 0
    contours: list[list[_Point]] = []
    controls: list[_Point] = []
    for kind, point in _segments(path, count) if count <= _MAX_SEGMENTS else ():
        if kind == pdfium_c.FPDF_SEGMENT_MOVETO or not contours:
            contours.append([point])
        elif kind == pdfium_c.FPDF_SEGMENT_LINETO:
            contours[-1].append(point)
        else:
            controls.append(point)
            if len(controls) == 3:
                contours[-1] += _curve(contours[-1][-1], *controls)
                controls = []
    return tuple(map(tuple, contours))


def picture_of(outline: Outline) -> Image.Image | None:
    """Return a grey picture that the glyph fills, white on black; None for a glyph without an area."""
    xs, ys = (
        zip(*(point for contour in outline for point in contour), strict=True) if outline else ((0,), (0,))
    )
    left, top, width, height = min(xs), max(ys), max(xs) - min(xs), max(ys) - min(ys)
    if not (width > 0 and height > 0):
        return None
    picture = Image.new("1", (WIDTH * _FINER, HEIGHT * _FINER))
    across, down = (picture.width - 1) / width, (picture.height - 1) / height
    for contour in outline:
        filled = Image.new("1", picture.size)
        corners = [((x - left) * across, (top - y) * down) for x, y in contour]
        ImageDraw.Draw(filled).polygon(corners, fill=1)
        # A contour in another one is a hole.
        picture = ImageChops.logical_xor(picture, filled)
    return picture.convert("L").reduce(_FINER)


def _segments(path: Any, count: int) -> Iterator[tuple[int, _Point]]:
    x, y = ctypes.c_float(), ctypes.c_float()
    references = ctypes.byref(x), ctypes.byref(y)
    for number in range(count):
        segment = pdfium_c.FPDFGlyphPath_GetGlyphPathSegment(path, number)
        pdfium_c.FPDFPathSegment_GetPoint(segment, *references)
        yield pdfium_c.FPDFPathSegment_GetType(segment), (x.value, y.value)


def _curve(*points: _Point) -> list[_Point]:
    """Return points of a Bézier curve after its start; points: start, two controls, end."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    return [(a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3) for a, b, c, d in _WEIGHTS]
