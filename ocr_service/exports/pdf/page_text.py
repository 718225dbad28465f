"""The text of a page with its places: words if the engine has them, or else the lines of each block."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from ocr_service.core.documents import Block, Box, PageResult, TextSource
from ocr_service.exports.notes import notes_of

# A line is 1.2 times as high as its letters, and a letter about half as wide as high.
_LINE_HEIGHT, _LETTER_WIDTH = 1.2, 0.5


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A word or a line. bbox: in pixels of its page."""

    text: str
    bbox: Box


@dataclass(frozen=True, slots=True)
class PageText:
    """The additions to page `index`, from 1.

    width, height: of the page in pixels, after it was turned. rotation: degrees counterclockwise by which it
    was turned. pieces: in reading order. notes: sentences that a reader must see. was_read: False if the page
    failed, perhaps because its picture cannot be decoded.
    """

    index: int
    width: int
    height: int
    rotation: int
    pieces: Sequence[PlacedText]
    notes: Sequence[str] = ()
    was_read: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is added."""
        return not (self.pieces or self.notes)


def text_of(page: PageResult) -> PageText:
    """Return the text of a page that the page does not hold itself, and its notes."""
    recognized = (block for block in page.blocks if block.source is TextSource.OCR)
    pieces = tuple(piece for block in recognized for piece in _pieces(block))
    notes = tuple(note.text for note in notes_of(page))
    return PageText(
        page.index, page.width, page.height, page.rotation, pieces, notes, was_read=page.failure is None
    )


def _pieces(block: Block) -> Iterator[PlacedText]:
    if block.words:
        for word in block.words:
            yield PlacedText(word.text, word.bbox)
        return
    left, top, right, bottom = block.bbox
    lines = _lines(block, right - left, bottom - top)
    height = (bottom - top) / max(1, len(lines))
    for number, line in enumerate(lines):
        upper, lower = round(top + number * height), round(top + (number + 1) * height)
        yield PlacedText(line, (left, upper, right, lower))


def _lines(block: Block, width: int, height: int) -> list[str]:
    """Return the probable lines of a block of this size."""
    text = _text_of_html(block.content) if block.content.lstrip().startswith("<") else block.content
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    letters = sum(map(len, lines))
    if not letters or width <= 0 or height <= 0:
        return []
    letter_height = math.sqrt(width * height / (letters * _LINE_HEIGHT * _LETTER_WIDTH))
    expected = max(1, round(height / (letter_height * _LINE_HEIGHT)))
    if len(lines) >= expected:
        return lines
    return [part for line in lines for part in textwrap.wrap(line, math.ceil(letters / expected))]


def _text_of_html(content: str) -> str:
    """Return the text of a table, a line for each row."""
    parser = _Text()
    parser.feed(content)
    parser.close()
    return "".join(parser.parts)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tr", "p", "div"):
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")
