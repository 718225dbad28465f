"""Bold lines, by the width of their strokes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from cv2.typing import MatLike

from ocr_service.layout.headings import weighted_median
from ocr_service.layout.words import Box, Line

# Strokes of bold text are this many times as wide as those of the page, in proportion to the small letters.
# On typeset pages bold lines had at least 1.39, regular lines at most 1.3.
_BOLD = 1.35
# Least difference of brightness between text and paper.
_CONTRAST = 40


def with_bold(lines: Sequence[Line], pixels: MatLike) -> list[Line]:
    """Return the lines with `bold` set for their words, true or false; pixels: the page, grey or RGB."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    widths = [(line, _stroke_width(grey, line.bbox) / line.height) for line in lines]
    usual = _usual(widths)
    # Strokes of figures and capitals are wider in proportion, so on a page of numbers all words look thin.
    words = [(line, width) for line, width in widths if _has_small_letters(line)]
    of_words = min(usual, _usual(words)) if words else usual
    return [
        _with_bold(line, 0 < (of_words if _has_small_letters(line) else usual) * _BOLD <= width)
        for line, width in widths
    ]


def _usual(widths: Iterable[tuple[Line, float]]) -> float:
    return weighted_median((width, len(line.text)) for line, width in widths)


def _has_small_letters(line: Line) -> bool:
    return any(map(str.islower, line.text))


def _with_bold(line: Line, is_bold: bool) -> Line:
    return replace(line, words=tuple(replace(word, bold=is_bold) for word in line.words))


def _stroke_width(pixels: MatLike, box: Box) -> float:
    """Return the mean length of the horizontal runs of ink, in pixels; 0 without ink."""
    left, top, right, bottom = box
    area = pixels[max(0, top) : bottom, max(0, left) : right]
    if not area.size:
        return 0.0
    darkest, paper = darkest_and_median(area)
    if paper - darkest < _CONTRAST:
        return 0.0
    ink = area < (darkest + paper) // 2
    runs = np.count_nonzero(ink[:, 1:] > ink[:, :-1]) + np.count_nonzero(ink[:, 0])
    return float(np.count_nonzero(ink) / runs) if runs else 0.0


def darkest_and_median(area: MatLike) -> tuple[int, int]:
    """Return both levels of grey; the mean of the two medians of an even number is rounded down."""
    # Twice as fast as a partition of the pixels.
    levels = cv2.calcHist([area], [0], None, [256], [0, 256]).ravel()
    darker = np.cumsum(levels, dtype=np.int64)
    below, above = np.searchsorted(darker, ((area.size - 1) // 2, area.size // 2), side="right")
    return int(np.flatnonzero(levels)[0]), int(below + above) // 2
