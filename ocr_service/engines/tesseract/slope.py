"""The slope of lines, from the pixels: for pages that are so crooked that Tesseract finds no lines."""

from collections.abc import Iterable

import cv2
import numpy as np

from ocr_service.engines.tesseract.pictures import Grey, Picture

_LONGEST_SIDE = 1000
_STEEPEST = 20.0
_COARSE = 1.0
_FINE = 0.1


def slope_of(picture: Picture) -> float:
    """Return the degrees by which the lines fall to the right, at most 20 up or down.

    At the right angle, rows through letters and rows between lines differ most.
    """
    small, _ = picture.reduced(_LONGEST_SIDE)
    threshold, _ = cv2.threshold(small, 0, 255, cv2.THRESH_OTSU)
    ink = (small <= threshold).astype(np.uint8)
    coarse = _best(ink, np.arange(-_STEEPEST, _STEEPEST + _COARSE, _COARSE))
    return _best(ink, np.arange(coarse - _COARSE, coarse + _COARSE, _FINE))


def _best(ink: Grey, angles: Iterable[float]) -> float:
    return float(max(angles, key=lambda angle: _contrast(ink, angle)))


def _contrast(ink: Grey, angle: float) -> float:
    """Return how much neighbouring rows differ after a rotation by this angle."""
    height, width = ink.shape
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    rows = cv2.warpAffine(ink, rotation, (width, height), flags=cv2.INTER_NEAREST).sum(axis=1, dtype=np.int64)
    return float(np.square(np.diff(rows)).sum())
