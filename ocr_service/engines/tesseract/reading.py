"""One recognition of a picture, and how good its text is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tesserocr import PSM

from ocr_service.engines.tesseract.directions import Direction, direction_of
from ocr_service.engines.tesseract.pictures import Grey, Picture, Points, transformed
from ocr_service.engines.tesseract.words import lines_of
from ocr_service.layout.words import Line, Word, mean_confidence

# A word that Tesseract is less sure of is more likely wrong than right, and counts against a reading.
_EVEN_ODDS = 0.5
# A word of so many letters and digits that Tesseract is so sure of is on the page.
_SURE = 0.8
_LONG = 3


@dataclass(frozen=True, eq=False)
class Reading:
    """The text of a picture.

    lines: in reading order, with positions in the picture. direction: that of most of the text.
    missing: centres of the words that only readings with a lower score have; points of the page as decoded.
    unread: number of rows that look like text and could not be read.
    """

    picture: Picture
    lines: Sequence[Line]
    direction: Direction
    missing: Points = field(default_factory=lambda: np.empty((0, 2)))
    unread: int = 0

    @cached_property
    def confidence(self) -> float | None:
        """Mean of the lines, 0 to 1; None without text."""
        return mean_confidence(self.lines)

    @cached_property
    def score(self) -> float:
        """Letters and digits, weighted by the confidence of their words: of two readings, more is better."""
        return sum(_score(word) for line in self.lines for word in line.words)

    def chosen_over(self, other: "Reading") -> "Reading":
        """Return the reading, which misses what only the other one has."""
        known = np.concatenate([self.missing, other.missing, other.sure_words()])
        return replace(self, missing=known[~self._has_words_at(known)])

    def sure_words(self) -> Points:
        """Return the centres of the words that are on the page without doubt."""
        boxes = [word.bbox for line in self.lines for word in line.words if _is_sure(word)]
        corners = np.array(boxes, np.float64).reshape(-1, 2, 2)
        return transformed(corners.mean(axis=1), self.picture.to_page)

    def _has_words_at(self, places: Points) -> NDArray[np.bool_]:
        """Return for each point of the page whether a word is there, or nearly."""
        boxes = np.array([word.bbox for line in self.lines for word in line.words]).reshape(-1, 4)
        left, top, right, bottom = boxes.T
        x, y = transformed(places, self.picture.from_page).T[:, :, np.newaxis]
        near = (bottom - top) / 2
        inside = (left - near <= x) & (x < right + near) & (top - near <= y) & (y < bottom + near)
        return np.asarray(inside.any(axis=1))


def recognize(tesseract: Any, picture: Picture, milliseconds: int) -> Reading | None:
    """Read a picture; None if Tesseract cannot, or not within this time."""
    try:
        _set_pixels(tesseract, picture.pixels, picture.size, picture.resolution)
        if not tesseract.Recognize(milliseconds):
            return None
        return Reading(picture, lines_of(tesseract), direction_of(tesseract))
    except RuntimeError:
        return None
    finally:
        tesseract.Clear()


def recognize_row(tesseract: Any, grey: Grey, resolution: int | None, milliseconds: int) -> Line | None:
    """Read pixels that show one row; None if Tesseract finds no text there, or cannot, or not in time."""
    try:
        tesseract.SetPageSegMode(PSM.SINGLE_LINE)
        _set_pixels(tesseract, np.ascontiguousarray(grey).tobytes(), grey.shape[::-1], resolution)
        if not tesseract.Recognize(milliseconds):
            return None
        return next(iter(lines_of(tesseract)), None)
    except RuntimeError:
        return None
    finally:
        tesseract.Clear()
        tesseract.SetPageSegMode(PSM.AUTO)


def _set_pixels(tesseract: Any, pixels: bytes, size: tuple[int, ...], resolution: int | None) -> None:
    width, height = size
    tesseract.SetImageBytes(pixels, width, height, 1, width)
    tesseract.SetSourceResolution(resolution or 0)


def _score(word: Word) -> float:
    assert word.confidence is not None
    return (word.confidence - _EVEN_ODDS) * sum(character.isalnum() for character in word.text)


def _is_sure(word: Word) -> bool:
    assert word.confidence is not None
    return word.confidence >= _SURE and sum(character.isalnum() for character in word.text) >= _LONG
