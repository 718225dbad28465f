"""One recognition of a picture, and how good its text is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ocr_service.engines.tesseract.directions import Direction, direction_of
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.words import lines_of
from ocr_service.layout.words import Line, Word, mean_confidence

# A word that Tesseract is less sure of is more likely wrong than right, and counts against a reading.
_EVEN_ODDS = 0.5


@dataclass(frozen=True)
class Reading:
    """The text of a picture.

    lines: in reading order, with positions in the picture. direction: that of most of the text.
    """

    picture: Picture
    lines: Sequence[Line]
    direction: Direction

    @cached_property
    def confidence(self) -> float | None:
        """Mean of the lines, 0 to 1; None without text."""
        return mean_confidence(self.lines)

    @cached_property
    def score(self) -> float:
        """Letters and digits, weighted by the confidence of their words: of two readings, more is better."""
        return sum(_score(word) for line in self.lines for word in line.words)


def recognize(tesseract: Any, picture: Picture, milliseconds: int) -> Reading | None:
    """Read a picture; None if Tesseract cannot, or not within this time."""
    width, height = picture.size
    try:
        tesseract.SetImageBytes(picture.pixels, width, height, 1, width)
        tesseract.SetSourceResolution(picture.resolution or 0)
        if not tesseract.Recognize(milliseconds):
            return None
        return Reading(picture, lines_of(tesseract), direction_of(tesseract))
    except RuntimeError:
        return None
    finally:
        tesseract.Clear()


def _score(word: Word) -> float:
    assert word.confidence is not None
    return (word.confidence - _EVEN_ODDS) * sum(character.isalnum() for character in word.text)
