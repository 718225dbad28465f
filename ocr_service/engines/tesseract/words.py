"""Words and lines of a page that Tesseract has read."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from ocr_service.layout.words import Line, Word


def lines_of(api: Any, tesserocr: ModuleType) -> list[Line]:
    """Return the lines of the result, in reading order."""
    position = api.GetIterator()
    return list(_lines(position, tesserocr.RIL)) if position is not None else []


def _lines(position: Any, level: Any) -> Iterator[Line]:
    """Yield the lines; `position` is one object, which the iteration moves from word to word."""
    more = True
    while more:
        # A picture in the layout has no text, and Tesseract fails at its attributes.
        values = _line_at(position, level) if _text(position, level.TEXTLINE) else None
        words: list[Word] = []
        opens_line = False
        while more and not opens_line:
            if text := _text(position, level.WORD):
                words.append(
                    Word(text, position.BoundingBox(level.WORD), position.Confidence(level.WORD) / 100)
                )
            more = position.Next(level.WORD)
            opens_line = position.IsAtBeginningOf(level.TEXTLINE)
        if values and words:
            yield Line(words=tuple(words), **values)


def _line_at(position: Any, level: Any) -> dict[str, Any]:
    row = position.RowAttributes()
    return {
        "bbox": position.BoundingBox(level.TEXTLINE),
        "height": row["row_height"] - row["ascenders"] + row["descenders"],
        "opens_block": position.IsAtBeginningOf(level.BLOCK),
        "opens_paragraph": position.IsAtBeginningOf(level.PARA),
    }


def _text(position: Any, level: int) -> str:
    try:
        return str(position.GetUTF8Text(level).strip())
    except RuntimeError:
        return ""
