"""Words and lines of a page that Tesseract has read."""

import re
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from tesserocr import RIL

from ocr_service.layout.words import Line, Word

# Letters of Latin and Cyrillic that rise above the small letters, and that reach below the line; by how much,
# as a share of the height of small letters in usual fonts.
_RISING = re.compile(r"[A-ZА-ЯЁ0-9bdfhkltßбйё!?()\[\]{}/|\\&@№§%$]")  # noqa: RUF001
_FALLING = re.compile(r"[gjpqyруфцщдQДЦЩ,;()\[\]{}/|@§$]")  # noqa: RUF001
_RISE, _FALL = 0.45, 0.35
_LETTER = re.compile(r"[A-Za-zА-Яа-яЁё0-9]")  # noqa: RUF001


def lines_of(api: Any) -> list[Line]:
    """Return the lines of the result, in reading order."""
    position = api.GetIterator()
    return list(_lines(position, RIL)) if position is not None else []


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
                confidence = position.Confidence(level.WORD) / 100
                words.append(Word(text, position.BoundingBox(level.WORD), confidence))
            more = position.Next(level.WORD)
            opens_line = position.IsAtBeginningOf(level.TEXTLINE)
        if values and words:
            yield _line(words, **values)


def _line_at(position: Any, level: Any) -> dict[str, Any]:
    row = position.RowAttributes()
    return {
        "bbox": position.BoundingBox(level.TEXTLINE),
        "row_height": row["row_height"] - row["ascenders"] + row["descenders"],
        "opens_block": position.IsAtBeginningOf(level.BLOCK),
        "opens_paragraph": position.IsAtBeginningOf(level.PARA),
    }


def _line(words: Sequence[Word], *, row_height: float, **values: Any) -> Line:
    """Return a line; row_height: Tesseract's estimate for small letters, which fails for some lines."""
    heights = [_small_letters(word) for word in words if _LETTER.search(word.text)]
    return Line(words=tuple(words), height=median(heights) if heights else row_height, **values)


def _small_letters(word: Word) -> float:
    """Return the height of the small letters of a word, from its box and its letters."""
    rise = _RISE if _RISING.search(word.text) else 0
    fall = _FALL if _FALLING.search(word.text) else 0
    return (word.bbox[3] - word.bbox[1]) / (1 + rise + fall)


def _text(position: Any, level: int) -> str:
    try:
        return str(position.GetUTF8Text(level).strip())
    except RuntimeError:
        return ""
