"""Boxes and matrices in the coordinates of a PDF page: points from its lower left corner, y upwards."""

import math
from typing import NamedTuple

import pypdfium2.raw as pdfium_c


class Rect(NamedTuple):
    """A box; left <= right and bottom <= top."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, points: list[tuple[float, float]]) -> "Rect":
        """Return the smallest box that contains all points; at least one."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return cls(min(xs), min(ys), max(xs), max(ys))

    @property
    def width(self) -> float:
        """Extent to the right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent upwards."""
        return self.top - self.bottom

    @property
    def area(self) -> float:
        """0 if the box is empty."""
        return max(0.0, self.width) * max(0.0, self.height)

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point is inside, or on the edge."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def is_near(self, other: "Rect", distance: float) -> bool:
        """Return whether two boxes overlap, or are not further apart than a distance."""
        beside = max(self.left - other.right, other.left - self.right)
        above = max(self.bottom - other.top, other.bottom - self.top)
        return max(beside, above) <= distance

    def union(self, other: "Rect") -> "Rect":
        """Return the smallest box that contains both."""
        return Rect(
            min(self.left, other.left),
            min(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.top, other.top),
        )

    def common(self, other: "Rect") -> "Rect":
        """Return the common part; its area is 0 if there is none."""
        return Rect(
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            min(self.right, other.right),
            min(self.top, other.top),
        )


class Matrix(NamedTuple):
    """An affine map of PDF: (x, y) → (ax + cy + e, bx + dy + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def of(cls, raw: pdfium_c.FS_MATRIX) -> "Matrix":
        """Return a matrix of PDFium."""
        return cls(raw.a, raw.b, raw.c, raw.d, raw.e, raw.f)

    def then(self, outer: "Matrix") -> "Matrix":
        """Return the map that applies this one first, and then `outer`."""
        a, b, c, d, e, f = self
        return Matrix(
            a * outer.a + b * outer.c,
            a * outer.b + b * outer.d,
            c * outer.a + d * outer.c,
            c * outer.b + d * outer.d,
            *outer.point(e, f),
        )

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return the image of a point."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def rect(self, rect: Rect) -> Rect:
        """Return the box around the image of a box."""
        if self == IDENTITY:
            return rect
        left, bottom, right, top = rect
        return Rect.around([self.point(x, y) for x in (left, right) for y in (bottom, top)])

    @property
    def angle(self) -> int:
        """Direction of the x axis after the map, in degrees counterclockwise, 0 to 359."""
        return round(math.degrees(math.atan2(self.b, self.a))) % 360


IDENTITY = Matrix(1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def turned(degrees: int) -> Matrix:
    """Return the rotation by an angle, clockwise: text in this direction becomes horizontal."""
    cosine, sine = _COSINES.get(degrees) or (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    return Matrix(cosine, -sine, sine, cosine, 0.0, 0.0)


# Exact for quarter turns.
_COSINES = {0: (1.0, 0.0), 90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}
