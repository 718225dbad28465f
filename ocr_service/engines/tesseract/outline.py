"""The outline of a sheet of paper in a photo."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_service.engines.tesseract.pictures import Correction, Grey, Picture

Corners = NDArray[np.float32]

_LONGEST_SIDE = 600
# Letters are shorter than this in the small copy, and vanish.
_LETTERS = np.ones((15, 15), np.uint8)
# Thresholds between the paper and the table, as parts of Otsu's: a shadow makes a part of the paper dark.
_THRESHOLDS = (1.1, 1.0, 0.9, 0.8, 0.7, 0.6)
_MIN_AREA = 0.2
# The outline of a sheet is a quadrangle, up to its round corners and curled edges.
_MIN_OVERLAP = 0.96
_TOLERANCES = (0.01, 0.02, 0.03, 0.05)
# Of a sheet that fills the picture up to this margin, and of a band across a page, the corners are not seen.
_MARGIN = 0.02
_FEWEST_SEEN = 3
# Brightness inside the outline, near it, in that outside. Light that fades is nearly the same on both sides.
_MIN_EDGE = 1.15
_NEAR = np.ones((9, 9), np.uint8)


def sheet_corners(picture: Picture) -> Corners | None:
    """Return the corners of a bright sheet on a darker ground, from the upper left clockwise; else None."""
    # Most pages are no photos, and a glance shows it.
    if _corners(picture.glance(_LONGEST_SIDE)) is None:
        return None
    grey, factor = picture.reduced(_LONGEST_SIDE)
    corners = _corners(grey)
    return None if corners is None else _clockwise(corners) * np.float32(factor)


def _corners(grey: Grey) -> Corners | None:
    """Return the corners of the sheet in a small copy, in any order."""
    smooth = cv2.morphologyEx(cv2.GaussianBlur(grey, (5, 5), 0), cv2.MORPH_CLOSE, _LETTERS)
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    candidates = (_quadrangle(smooth > otsu * part) for part in _THRESHOLDS)
    overlap, corners = max(candidates, key=lambda candidate: candidate[0])
    if corners is None or overlap < _MIN_OVERLAP or _seen(corners, grey.shape) < _FEWEST_SEEN:
        return None
    if _edge(smooth, corners) < _MIN_EDGE:
        return None
    return corners


def flattened(picture: Picture, corners: Corners) -> Picture | None:
    """Return the sheet alone, as seen from above; None if this takes too many pixels."""
    top, right, bottom, left = (float(np.linalg.norm(corners[i] - corners[(i + 1) % 4])) for i in range(4))
    size = round(max(top, bottom)), round(max(right, left))
    target = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    matrix = np.asarray(cv2.getPerspectiveTransform(corners, target), np.float64)
    return picture.warped(matrix, size, Correction.CUT)


def _quadrangle(bright: NDArray[np.bool_]) -> tuple[float, Corners | None]:
    """Return the overlap of the largest bright area with a quadrangle around it, 0 to 1, and its corners."""
    contours, _ = cv2.findContours(bright.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    sheet = max(contours, key=cv2.contourArea, default=None)
    if sheet is None or cv2.contourArea(sheet) < _MIN_AREA * bright.size:
        return 0.0, None
    hull = cv2.convexHull(sheet)
    length = cv2.arcLength(hull, True)
    simplified = (cv2.approxPolyDP(hull, tolerance * length, True) for tolerance in _TOLERANCES)
    corners = next((corners for corners in simplified if len(corners) == 4), None)
    if corners is None:
        return 0.0, None
    return _overlap(sheet, corners, bright.shape), corners.reshape(4, 2).astype(np.float32)


def _overlap(sheet: cv2.typing.MatLike, corners: cv2.typing.MatLike, shape: tuple[int, ...]) -> float:
    """Return the common part of both areas in all that they cover."""
    first, second = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    cv2.drawContours(first, [sheet], -1, (1,), cv2.FILLED)
    cv2.fillPoly(second, [corners], (1,))
    return float(np.count_nonzero(first & second) / np.count_nonzero(first | second))


def _edge(grey: cv2.typing.MatLike, corners: Corners) -> float:
    """Return the brightness just inside the corners, in that just outside."""
    sheet = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(sheet, [corners.astype(np.int32)], (255,))
    inside, outside = sheet - cv2.erode(sheet, _NEAR), cv2.dilate(sheet, _NEAR) - sheet
    return cv2.mean(grey, inside)[0] / max(1.0, cv2.mean(grey, outside)[0])


def _seen(corners: Corners, shape: tuple[int, ...]) -> int:
    """Return the number of corners inside the picture, off its edges."""
    margin = _MARGIN * max(shape)
    far = np.array(shape[::-1], np.float32) - margin
    return int(np.count_nonzero(np.all((corners > margin) & (corners < far), axis=1)))


def _clockwise(corners: Corners) -> Corners:
    """Return the corners from the upper left one clockwise."""
    x, y = (corners - corners.mean(axis=0)).T
    ordered = corners[np.argsort(np.arctan2(y, x))]
    return np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0)
