"""Words and lines of a page, from an engine or from the text of a PDF."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ocr_service.core.documents import Box, Word

__all__ = ["Box", "Line", "Word", "enclosing", "has_centre", "mean_confidence"]


@dataclass(frozen=True)
class Line:
    """A line of text: words in reading order, at least one.

    bbox: in pixels of the page; it contains the boxes of the words.
    height: height of the small letters, in pixels.
    opens_block, opens_paragraph: whether the source of the line begins a block or a paragraph with it.
    """

    words: tuple[Word, ...]
    bbox: Box
    height: float
    opens_block: bool
    opens_paragraph: bool

    @cached_property
    def text(self) -> str:
        """The words, with spaces between them."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def confidence(self) -> float | None:
        """Mean of the words, 0 to 1; None if no word has one."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None

    def part(self, belongs: Callable[[Word], bool]) -> "Line | None":
        """Return the line with these of its words alone, or None if there are none."""
        words = [word for word in self.words if belongs(word)]
        return self.of(words) if words else None

    def of(self, words: Sequence[Word]) -> "Line":
        """Return the line with these of its words alone."""
        if len(words) == len(self.words):
            return self
        return replace(self, words=tuple(words), bbox=enclosing(word.bbox for word in words))

    @property
    def letter_width(self) -> float:
        """Mean width of a character, including spaces, in pixels."""
        return (self.bbox[2] - self.bbox[0]) / len(self.text)


def enclosing(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that contains all boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def has_centre(box: Box, word: Word) -> bool:
    """Return whether the centre of a word is in the box."""
    left, top, right, bottom = word.bbox
    return box[0] <= (left + right) / 2 < box[2] and box[1] <= (top + bottom) / 2 < box[3]


def mean_confidence(lines: Iterable[Line]) -> float | None:
    """Return the mean, weighted by the length of the lines, 0 to 1; None if no line has one."""
    known = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
    weight = sum(length for _, length in known)
    return round(sum(confidence * length for confidence, length in known) / weight, 3) if weight else None
