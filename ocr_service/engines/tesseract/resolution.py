"""The resolution of a picture, as its letters show it."""

import cv2
import numpy as np

from ocr_service.engines.tesseract.pictures import Picture

# Letters of body text, small and capital, have a median height of 24 pixels in 11 points at 300 dpi.
_DPI_PER_PIXEL = 12
_CREDIBLE = range(70, 601)
_FEWEST_LETTERS = 20
# Tesseract takes small letters for dirt if the resolution is stated far too high: at twice the true one it
# reads all, at four times it loses half of a page. A resolution that is too low costs nothing.
_MOST_ABOVE = 1.8
_LOW = 150

_LONGEST_SIDE = 2400
_SMALLEST_LETTER = 5
_LARGEST_LETTER = 0.1
_MOST_ELONGATED = 8


def credible_resolution(picture: Picture) -> int | None:
    """Return the pixels per inch that the file names, or an estimate if it names none or far too many."""
    stated = picture.resolution
    if stated is not None and stated <= _LOW:
        return stated
    estimate = estimated_resolution(picture)
    if stated is None or (estimate is not None and stated > estimate * _MOST_ABOVE):
        return estimate
    return stated


def estimated_resolution(picture: Picture) -> int | None:
    """Return the pixels per inch, by the height of the letters; None without enough of them.

    Without a resolution, Tesseract takes 70, for which the lines of a table are letters.
    """
    grey, factor = picture.reduced(_LONGEST_SIDE)
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    # Of the algorithms of OpenCV, all with the same result, this one takes half as long as the default one.
    _, _, shapes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_GRANA)
    width, height = shapes[:, cv2.CC_STAT_WIDTH], shapes[:, cv2.CC_STAT_HEIGHT]
    is_letter = (
        (height >= _SMALLEST_LETTER)
        & (height <= _LARGEST_LETTER * grey.shape[0])
        & (width <= _MOST_ELONGATED * height)
        & (height <= _MOST_ELONGATED * width)
    )
    if np.count_nonzero(is_letter) < _FEWEST_LETTERS:
        return None
    estimate = round(float(np.median(height[is_letter])) * factor * _DPI_PER_PIXEL)
    return min(max(estimate, _CREDIBLE.start), _CREDIBLE.stop - 1)
