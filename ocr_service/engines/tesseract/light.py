"""Uneven light, grey and coloured areas, and grain: signs of them, and pictures without them."""

import cv2
import numpy as np

from ocr_service.engines.tesseract.pictures import Correction, Grey, Picture

# The background is looked at in a small copy, where letters vanish under a window of this size.
_LONGEST_SIDE = 1000
_LETTERS = np.ones((11, 11), np.uint8)
_SMOOTH = 31

# Share of the page whose background is darker than this part of the paper.
_DARK = 0.8
_MIN_DARK_AREA = 0.02
_PAPER_PERCENTILE = 90

# Median difference of neighbouring pixels. Measured: 13 for noise of 30 levels, which Tesseract reads
# without an error, and 19 for 45 levels, where it loses lines, or takes a minute for a page of specks.
_GRAIN = 16
_GRAIN_ROWS = 200


def has_dark_areas(picture: Picture) -> bool:
    """Return whether parts of the page have a background much darker than its paper."""
    small = picture.glance(_LONGEST_SIDE)
    # Closing removes dark letters, and keeps dark areas as they are.
    background = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _LETTERS)
    paper = float(np.percentile(background, _PAPER_PERCENTILE))
    return bool(np.mean(background < paper * _DARK) > _MIN_DARK_AREA)


def with_even_light(picture: Picture) -> Picture:
    """Divide the pixels by the background around them, which makes all paper white.

    Compared with adaptive thresholds, which lose faded and grainy text, this loses none.
    """
    small, _ = picture.reduced(_LONGEST_SIDE)
    light = cv2.medianBlur(cv2.dilate(small, _LETTERS), _SMOOTH)
    even = _divided(picture.grey, cv2.resize(light, picture.size))
    return picture.with_grey(even, Correction.LIGHTENED)


def has_grain(picture: Picture) -> bool:
    """Return whether the paper is grainy; looks at some rows of the picture."""
    grey = picture.grey
    rows = grey[:: max(1, grey.shape[0] // _GRAIN_ROWS)]
    differences = cv2.absdiff(rows[:, 1:], rows[:, :-1])
    return bool(np.median(differences) >= _GRAIN)


def without_specks(picture: Picture) -> Picture:
    """Return the picture with each pixel as most of its neighbours."""
    smooth = np.asarray(cv2.medianBlur(picture.grey, 3), np.uint8)
    return picture.with_grey(smooth, Correction.SMOOTHED)


def _divided(grey: Grey, light: cv2.typing.MatLike) -> Grey:
    return np.asarray(cv2.divide(grey, light, scale=255), np.uint8)
