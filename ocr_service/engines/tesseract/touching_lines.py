"""Lines that touch letters: underlines, strike-outs and the rules of forms. Tesseract loses such text."""

from collections.abc import Iterator

import cv2
import numpy as np
from cv2.typing import MatLike

from ocr_service.engines.tesseract.pictures import Correction, Grey, Picture
from ocr_service.layout.pixels.ruling_lines import long_runs, scale_of

# In the small copy in which lines are searched: letters touch a line along this share of its length, and at
# so many places, more than the bar of one letter, as in `щ`. A line is not thicker than so many pixels.
_TOUCHED = 0.2
_FEWEST_PLACES = 7
_THICKEST = 6
# Rows around a line: its blurred edges, and those where letters touch it.
_EDGE, _NEAR = np.ones((3, 1), np.uint8), np.ones((7, 1), np.uint8)
# The stroke of a letter that crosses a line is longer than the line is thick, by so many pixels.
_CROSSING = 3
# A line is darker than the pixels above and below it by so many levels, along this share of its pixels.
_CONTRAST = 25
_DARKER = 0.4


def without_touching_lines(picture: Picture) -> Picture | None:
    """Erase the lines that touch letters, and keep the strokes that cross them; None without such lines."""
    scale = scale_of(picture.grey)
    lines = list(_touching_lines(picture.ink))
    free = picture.grey.copy() if lines else picture.grey
    erased = [
        _erase(free[top * scale :, left * scale :], line.repeat(scale, axis=0).repeat(scale, axis=1))
        for top, left, line in lines
    ]
    return picture.with_grey(free, Correction.FREED) if any(erased) else None


def _touching_lines(ink: MatLike) -> Iterator[tuple[int, int, MatLike]]:
    """Yield lines of a small copy: the first row and column, and from there the pixels of the line as 1."""
    runs = long_runs(ink)
    if runs is None:
        return
    _, labels, stats, _ = cv2.connectedComponentsWithStats(runs)
    for label, (left, top, width, height, area) in enumerate(stats[1:].tolist(), start=1):
        if area > _THICKEST * width:
            continue
        first = max(0, top - _THICKEST)
        place = slice(first, top + height + _THICKEST), slice(left, left + width)
        line = np.asarray(labels[place] == label, np.uint8)
        if _is_touched(line, ink[place]):
            yield first, left, line


def _is_touched(line: MatLike, ink: MatLike) -> bool:
    """Return whether letters touch a line, from above or from below."""
    near = cv2.dilate(line, _NEAR) > cv2.dilate(line, _EDGE)
    touched = np.any(near & (ink > 0), axis=0)
    places = np.count_nonzero(touched[1:] > touched[:-1])
    return bool(touched.mean() >= _TOUCHED and places >= _FEWEST_PLACES)


def _erase(grey: Grey, line: MatLike) -> bool:
    """Erase a line from the upper left corner of the pixels; return whether it is one."""
    area = grey[: line.shape[0], : line.shape[1]]
    # Closing keeps dark shapes that are taller than the kernel.
    thickness = round(np.count_nonzero(line) / line.shape[1])
    closed = cv2.morphologyEx(area, cv2.MORPH_CLOSE, np.ones((thickness + _CROSSING, 1), np.uint8))
    is_line = np.mean(cv2.subtract(closed, area)[line > 0] > _CONTRAST) >= _DARKER
    if is_line:
        np.copyto(area, closed, where=cv2.dilate(line, _EDGE) > 0)
    return bool(is_line)
