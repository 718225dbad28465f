"""The direction of the text on a page: quarter turns, and the slope of its lines."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tesserocr import RIL, iterate_level

# The letters of a short line, such as its commas, move its baseline by some pixels.
_MIN_FALL = 6.0


@dataclass(frozen=True, slots=True)
class Direction:
    """The direction of most of the text of a picture.

    turn: degrees counterclockwise that make the lines horizontal: 0, 90, 180 or 270. Tesseract reads a page
    that lies on its left side as lines from top to bottom.
    slope: degrees by which the lines fall to the right after this turn.
    """

    turn: int = 0
    slope: float = 0.0


def direction_of(tesseract: Any) -> Direction:
    """Return the direction of the recognized text; longer lines count more."""
    baselines = list(_baselines(tesseract))
    if not baselines:
        return Direction()
    turn = _median_by_length([(90 * round(angle / 90), length) for angle, length in baselines])
    slopes = [(angle - turn, length) for angle, length in baselines if abs(angle - turn) < 45]
    slope = _median_by_length(slopes)
    fall = max(length for _, length in slopes) * math.sin(math.radians(abs(slope)))
    return Direction(int(turn) % 360, slope if fall >= _MIN_FALL else 0.0)


def _baselines(tesseract: Any) -> Iterator[tuple[float, float]]:
    """Yield the angle and the length of each line: degrees clockwise from the right, and pixels."""
    position = tesseract.GetIterator()
    if position is None:
        return
    for line in iterate_level(position, RIL.TEXTLINE):
        if baseline := line.Baseline(RIL.TEXTLINE):
            (left, top), (right, bottom) = baseline
            yield math.degrees(math.atan2(bottom - top, right - left)), math.dist(*baseline)


def _median_by_length(values: Sequence[tuple[float, float]]) -> float:
    ordered = sorted(values)
    covered = list(accumulate(length for _, length in ordered))
    return ordered[bisect_left(covered, covered[-1] / 2)][0]
