"""Headings: paragraphs that are set off from the body text. Pure functions."""

from collections.abc import Iterable, Sequence

from ocr_service.layout.labels import DOC_TITLE, PARAGRAPH_TITLE, TEXT
from ocr_service.layout.words import Line

# Ratio of letter height to body text that makes a heading. In common style sheets, a title has 1.6 to 2
# times the size of the body, and a section heading 1.2 to 1.5 times.
_TITLE_RATIO = 1.6
_HEADING_RATIO = 1.2
_HEADING_MAX_LINES = 3
_HEADING_MIN_LETTERS = 2


def body_height(lines: Iterable[Line]) -> float:
    """Return the height of small letters in the body text, in pixels: the median, weighted by length."""
    weighted = sorted((line.height, len(line.text)) for line in lines)
    half = sum(weight for _, weight in weighted) / 2
    cumulative = 0
    for height, weight in weighted:
        cumulative += weight
        if cumulative >= half:
            return height
    return 0.0


def is_large(height: float, body: float) -> bool:
    """Return whether small letters of this height make a heading."""
    return body > 0 and height >= body * _HEADING_RATIO


def label_of(lines: Sequence[Line], body: float) -> str:
    """Return the label of a paragraph; body: height of the small letters of the page."""
    height = body_height(lines)
    letters = sum(character.isalpha() for line in lines for character in line.text)
    too_long = len(lines) > _HEADING_MAX_LINES
    if too_long or letters < _HEADING_MIN_LETTERS or not is_large(height, body):
        return TEXT
    return DOC_TITLE if height >= body * _TITLE_RATIO else PARAGRAPH_TITLE
