"""Headings: paragraphs that differ from the body text by size, weight, place or number. Pure functions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr_service.layout.labels import DOC_TITLE, PARAGRAPH_TITLE
from ocr_service.layout.words import Line, enclosing

# Ratio of letter height to body text that makes a heading. In common style sheets, a title has 1.6 to 2
# times the size of the body, and a section heading 1.2 to 1.5 times.
_TITLE_RATIO = 1.6
_HEADING_RATIO = 1.2
_MAX_LINES = 3
_MIN_LETTERS = 2

# At the size of the body text, a heading is shorter, and has a number or stands in the middle of its column.
_MAX_LINES_AT_BODY_SIZE = 2
_MIN_LETTERS_AT_BODY_SIZE = 4
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,4}\.|§\s*\d+\.?)\s+[A-ZА-ЯЁ]")  # noqa: RUF001
_CAPTION = re.compile(r"(?:fig|table|рис|табл|chart|диаграмма)", re.IGNORECASE)
# Margins of a centred line, as shares of the column: the least, and the greatest difference. The lines below
# it, which show the column, need not reach its edge.
_LEAST_MARGIN = 0.15
_MARGIN_DIFFERENCE = 0.12
# Share of the column that a numbered heading fills at most.
_SHORT = 0.7


@dataclass(frozen=True, slots=True)
class Body:
    """The body text of a page.

    height: of its small letters, in pixels. is_bold: whether most of it is bold; then bold type is no sign.
    """

    height: float
    is_bold: bool

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Body":
        """Return the body text of lines."""
        weighted = [(line, len(line.text)) for line in lines]
        bold = sum(weight for line, weight in weighted if is_bold(line))
        height = weighted_median((line.height, weight) for line, weight in weighted)
        return cls(height, bold * 2 > sum(weight for _, weight in weighted))


def weighted_median(weighted: Iterable[tuple[float, int]]) -> float:
    """Return the median of values with weights; 0 without any."""
    ordered = sorted(weighted)
    half = sum(weight for _, weight in ordered) / 2
    cumulative = 0
    for value, weight in ordered:
        cumulative += weight
        if cumulative >= half:
            return value
    return 0.0


def is_bold(line: Line) -> bool:
    """Return whether all words of a line are known to be bold."""
    return all(word.bold for word in line.words)


def is_set_off(line: Line, body: Body) -> bool:
    """Return whether a line is larger than the body text, or bold among text that is not."""
    return _is_large(line.height, body) or (is_bold(line) and not body.is_bold)


def heading_label(lines: Sequence[Line], following: Sequence[Line], body: Body) -> str | None:
    """Return the label of a heading, None for other paragraphs; following: the next paragraph, or nothing."""
    height = weighted_median((line.height, len(line.text)) for line in lines)
    letters = sum(character.isalpha() for line in lines for character in line.text)
    if len(lines) > _MAX_LINES or letters < _MIN_LETTERS:
        return None
    if _is_large(height, body):
        return DOC_TITLE if height >= body.height * _TITLE_RATIO else PARAGRAPH_TITLE
    if len(lines) > _MAX_LINES_AT_BODY_SIZE or letters < _MIN_LETTERS_AT_BODY_SIZE:
        return None
    return PARAGRAPH_TITLE if _is_heading_at_body_size(lines, following, body) else None


def _is_large(height: float, body: Body) -> bool:
    return body.height > 0 and height >= body.height * _HEADING_RATIO


def _is_heading_at_body_size(lines: Sequence[Line], following: Sequence[Line], body: Body) -> bool:
    first, last = lines[0].text, lines[-1].text
    if last[-1] in ".,;:-" or not _opens_with_capital(first):
        return False
    if all(is_bold(line) for line in lines) and not body.is_bold:
        return True
    if len(following) < 2 or _CAPTION.match(first):
        return False
    return _is_centred(lines, following) or (
        _NUMBERED.match(first) is not None and _is_short(lines, following)
    )


def _opens_with_capital(text: str) -> bool:
    return next((character.isupper() for character in text if character.isalpha()), False)


def _is_centred(lines: Sequence[Line], column: Sequence[Line]) -> bool:
    """Return whether each line stands in the middle of the column of the paragraph below."""
    left, _, right, _ = enclosing(line.bbox for line in column)
    width = right - left
    margins = [(line.bbox[0] - left, right - line.bbox[2]) for line in lines]
    return all(
        min(margin) >= _LEAST_MARGIN * width and abs(margin[0] - margin[1]) <= _MARGIN_DIFFERENCE * width
        for margin in margins
    )


def _is_short(lines: Sequence[Line], column: Sequence[Line]) -> bool:
    """Return whether a line is alone and does not fill the column of the paragraph below."""
    left, _, right, _ = enclosing(line.bbox for line in column)
    return len(lines) == 1 and lines[0].bbox[2] - left <= _SHORT * (right - left)
