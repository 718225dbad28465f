"""The scale at which a PDF page is drawn: for the resolution of the engine, within the limits."""

import math
from dataclasses import dataclass

from ocr_service.core.errors import BrokenDocument
from ocr_service.decoding.limits import Limits

POINTS_PER_INCH = 72

# In points: the longest side of an A4 page, and that of a page which may be a scan with a wrong size, since
# it is smaller than A7.
A4_SIDE = 842.0
_TINY_SIDE = 290.0


@dataclass(frozen=True, slots=True)
class PageScale:
    """dpi: pixels per inch that the engine reads best."""

    dpi: int
    limits: Limits

    def of(self, width: float, height: float, picture: float) -> float:
        """Return the pixels per point; raises BrokenDocument for a page without an area.

        width, height: of the page in points. picture: pixels per point of a picture that fills the page; 0
        without one.
        A tiny page with a large scan is drawn at the pixels of the scan, but not larger than A4.
        """
        if not (width > 0 and height > 0 and math.isfinite(width * height)):
            raise BrokenDocument("The page of the PDF has no area.")
        usual = self.dpi / POINTS_PER_INCH
        if is_tiny(width, height):
            usual = max(usual, min(picture, usual * A4_SIDE / max(width, height)))
        return min(usual, self._largest(width, height))

    def _largest(self, width: float, height: float) -> float:
        """Solve (width * s + 1) * (height * s + 1) = limit, because a side has at most one pixel more."""
        area, sides = width * height, width + height
        discriminant = sides**2 + 4 * area * (self.limits.max_page_pixels - 1)
        by_pixels = (math.sqrt(discriminant) - sides) / (2 * area)
        return min(by_pixels, (self.limits.max_page_side - 1) / max(width, height))


def drawn_size(sides: tuple[float, float], scale: float) -> tuple[int, int]:
    """Return the width and the height of a page in pixels. sides: in points. scale: pixels per point.

    These are the nearest whole numbers, so that a scan whose page has its size is drawn pixel by pixel.
    """
    width, height = (max(1, round(side * scale)) for side in sides)
    return width, height


def is_tiny(width: float, height: float) -> bool:
    """Return whether a page is so small that its size may be wrong; sides in points."""
    return max(width, height) < _TINY_SIDE
