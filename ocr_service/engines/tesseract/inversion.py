"""Light letters on dark areas, as in heads of tables and bands of colour."""

import cv2
import numpy as np
import numpy.typing as npt

from ocr_service.engines.tesseract.pictures import Correction, Grey, Picture

# In a copy of this size, letters are smaller than this window, and the median of the smooth window is that of
# the paper or of the band.
_LONGEST_SIDE = 1000
_LETTERS = np.ones((11, 11), np.uint8)
_SMOOTH = 21

# An area is dark below this part of the paper; letters on it are lighter by at least so many levels.
_DARK = 0.55
_PAPER_PERCENTILE = 90
_CONTRAST = 30
# Share of a dark area that light letters cover at least.
_LETTERED = 0.02
# Share of its convex hull that a band or a cell covers at least, between its letters.
_SOLID = 0.6
# A band is taller than a large letter, in pixels of the copy; in lower ones, letters leave no gaps.
_TALL = 45


def with_dark_letters(picture: Picture) -> Picture:
    """Invert dark areas with light letters: Tesseract inverts lines of text, but loses tables."""
    small, _ = picture.reduced(_LONGEST_SIDE)
    areas = _dark_areas_with_letters(small)
    if not areas.any():
        return picture
    inverted = cv2.resize(areas.astype(np.uint8), picture.size, interpolation=cv2.INTER_NEAREST) > 0
    grey = picture.grey
    return picture.with_grey(np.where(inverted, 255 - grey, grey), Correction.LIGHTENED)


def _dark_areas_with_letters(small: Grey) -> npt.NDArray[np.bool_]:
    median = cv2.medianBlur(small, _SMOOTH)
    without_dark = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _LETTERS)
    without_light = cv2.morphologyEx(small, cv2.MORPH_OPEN, _LETTERS)
    # Around light letters, the picture without light details is nearer to the background.
    distance = cv2.absdiff(without_light, median).astype(np.int16)
    lettered = cv2.absdiff(without_dark, median) > distance + _CONTRAST
    paper = float(np.percentile(median, _PAPER_PERCENTILE))
    count, areas = cv2.connectedComponents((median < paper * _DARK).astype(np.uint8))
    sizes = np.bincount(areas.ravel(), minlength=count)
    letters = np.bincount(areas[lettered], minlength=count)
    chosen = letters > _LETTERED * sizes
    chosen[0] = False  # all that is not dark
    return _filled(np.asarray(chosen[areas], np.uint8))


def _filled(areas: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Fill the gaps that large letters leave in a band or a cell, whose outline has no notches."""
    outlines, _ = cv2.findContours(areas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines:
        hull = cv2.convexHull(outline)
        _, sides, _ = cv2.minAreaRect(hull)
        if min(sides) > _TALL and cv2.contourArea(outline) > _SOLID * cv2.contourArea(hull):
            cv2.fillConvexPoly(areas, hull, (1,))
    return areas > 0
