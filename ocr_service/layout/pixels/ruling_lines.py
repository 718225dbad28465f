"""Ruling lines in the pixels of a page."""

import cv2
import numpy as np
from cv2.typing import MatLike

from ocr_service.layout.pixels.shrinking import shrunk
from ocr_service.layout.rulings import Rulings, Segment

# The page is searched at about this length of its longer side, 150 dpi for A4; a smaller one at its own.
_SIDE = 1750
# A line is darker than the mean of its neighbourhood, in pixels. The neighbourhood is small, so that of a
# filled area only the edges remain, as lines.
_NEIGHBOURHOOD = 15
_CONTRAST = 15
_THICKEST = 8
# Longer than dashes and than letters that touch: in pixels, and as a share of the longer side (6 mm on A4).
_SHORTEST = 36
_SHORTEST_SHARE = 0.02


def find_rulings(pixels: MatLike) -> Rulings:
    """Return the ruling lines of a page that lies straight, to about 1 degree; pixels: grey or RGB."""
    scale = scale_of(pixels)
    ink = ink_of(pixels, scale)
    return Rulings(_segments(ink, scale), _segments(cv2.transpose(ink), scale))


def scale_of(pixels: MatLike) -> int:
    """Return how many times smaller the copy is in which lines are searched."""
    longer_side: int = max(pixels.shape[:2])
    return max(1, round(longer_side / _SIDE))


def ink_of(pixels: MatLike, scale: int) -> MatLike:
    """Return the page, smaller: 255 for the places that are darker than their neighbourhood, 0 elsewhere."""
    small = shrunk(pixels, scale)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    method, kind = cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV
    return cv2.adaptiveThreshold(grey, 255, method, kind, _NEIGHBOURHOOD, _CONTRAST)


def long_runs(ink: MatLike) -> MatLike | None:
    """Return the horizontal runs of ink that are as long as lines; None without any."""
    run = np.ones((1, max(_SHORTEST, round(max(ink.shape) * _SHORTEST_SHARE))), np.uint8)
    inside = cv2.erode(ink, run)
    # The next steps take longer than all before, and most pages have no lines.
    return cv2.dilate(inside, run) if cv2.countNonZero(inside) else None


def _segments(ink: MatLike, scale: int) -> tuple[Segment, ...]:
    """Return the horizontal lines: long runs of ink, joined where they touch, and not thicker than a line."""
    runs = long_runs(ink)
    if runs is None:
        return ()
    _, _, stats, _ = cv2.connectedComponentsWithStats(runs)
    return tuple(
        Segment(round((top + height / 2) * scale), left * scale, (left + width) * scale)
        for left, top, width, height, area in stats[1:].tolist()
        if area <= _THICKEST * width
    )
