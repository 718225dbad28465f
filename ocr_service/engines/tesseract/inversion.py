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
# Share of a dark area that light letters cover, at least and at most. Measured: 0.09 to 0.33. Of large dark
# letters in a shadow, which are a dark area too, the paper between them covers 0.47 to 0.94.
_LETTERED = 0.02
_MOST_LETTERED = 0.45
# Share of its convex hull that a band or a cell covers at least, between its letters.
_SOLID = 0.6
# A band is taller than a large letter, in pixels of the copy; in lower ones, letters leave no gaps.
_TALL = 45
# Share of dark pixels in the rows of a band.
_DARK_ROW = 0.5


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
    chosen = (letters > _LETTERED * sizes) & (letters < _MOST_LETTERED * sizes)
    chosen[0] = False  # all that is not dark
    return _outlined(np.asarray(chosen[areas], np.uint8), small < paper * _DARK)


def _outlined(areas: npt.NDArray[np.uint8], dark: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return bands and cells without the gaps of large letters inside, and without letters at their edges."""
    outlines, _ = cv2.findContours(areas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines:
        hull = cv2.convexHull(outline)
        _, sides, _ = cv2.minAreaRect(hull)
        if min(sides) > _TALL and cv2.contourArea(outline) > _SOLID * cv2.contourArea(hull):
            cv2.fillConvexPoly(areas, hull, (1,))
    for outline in outlines:
        _cut_letters_off(areas, dark, outline)
    return areas > 0


def _cut_letters_off(
    areas: npt.NDArray[np.uint8], dark: npt.NDArray[np.bool_], outline: cv2.typing.MatLike
) -> None:
    """Remove dark letters that touch an area from above or below: most of their rows is light."""
    left, top, width, height = cv2.boundingRect(outline)
    columns = slice(left, left + width)
    is_dark = dark[top : top + height, columns].mean(axis=1) > _DARK_ROW
    above, below = _first(is_dark), _first(is_dark[::-1])
    areas[top : top + above, columns] = 0
    areas[top + height - below : top + height, columns] = 0


def _first(is_dark: npt.NDArray[np.bool_]) -> int:
    """Return the number of light rows before the first dark one; 0 if they are higher than letters."""
    return next((number for number, holds in enumerate(is_dark[:_SMOOTH]) if holds), 0)
