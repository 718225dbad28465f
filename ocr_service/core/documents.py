"""Pages, blocks and results: the values that pass from one stage to the next.

Everything here is frozen: a stage takes a value and returns a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image

from ocr_service.core.errors import OcrError, PageError

# Between the pages of one document, in `markdown` and `text` alike.
PAGE_BREAK = "\n\n"

ImageMode = Literal["L", "RGB"]


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page.

    index: the page's number in its document, from 1.
    image: pixels in the mode that the engine asked for (`Engine.image_mode`), upright, without alpha.
    resolution: pixels per inch, or None where the file does not say so credibly.
    """

    index: int
    image: Image.Image
    resolution: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a page's layout.

    label: what the piece is, such as "text", "doc_title", "paragraph_title", "list".
    bbox: (x0, y0, x1, y1) in pixels of the page as decoded, origin top left.
    content: the piece's text; a table as HTML, a formula as LaTeX.
    order: position in reading order, from 1.
    confidence: 0 to 1, or None where the engine has none.
    failure: why the piece has no text, or None.
    """

    label: str
    bbox: tuple[int, int, int, int]
    content: str
    order: int
    confidence: float | None = None
    failure: OcrError | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent on one page, or on all pages of a document together."""

    decode: float = 0.0
    queue: float = 0.0
    recognize: float = 0.0

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(self.decode + other.decode, self.queue + other.queue, self.recognize + other.recognize)


@dataclass(frozen=True, slots=True)
class PageResult:
    """What an engine read from one page.

    width, height: in pixels as decoded, or as turned and unwarped where the engine did that; 0 where the page
    could not be read.
    failure: why there is no text, or None.
    decoded: width and height in pixels before the engine turned or unwarped the page; zeros as above.
    images: the pictures that the Markdown refers to, by their path there; JPEG files.
    drawings: pictures that show the page, "input_img", and by other names what was found in it; JPEG files.
    docx: the page as a Word document, where it was asked for.
    raw: everything the engine said about the page, in its own words, as JSON has it; None where it has none.
    """

    index: int
    width: int
    height: int
    markdown: str
    text: str
    blocks: tuple[Block, ...]
    timings: Timings = Timings()
    failure: PageError | None = None
    decoded: tuple[int, int] = (0, 0)
    images: Mapping[str, bytes] = field(default_factory=dict)
    drawings: Mapping[str, bytes] = field(default_factory=dict)
    docx: bytes | None = None
    raw: Mapping[str, Any] | None = None

    @property
    def failed_blocks(self) -> Sequence[Block]:
        """The blocks without text, of a page that has some."""
        return [block for block in self.blocks if block.failure]


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """A whole document.

    pages: in order. total: seconds from the first byte decoded to the result. cached: whether its text was
    read for an earlier request, or for another one at the same time; then nothing but `total` was spent.
    """

    pages: tuple[PageResult, ...]
    timings: Timings
    total: float
    cached: bool = False


def whole_markdown(result: DocumentResult) -> str:
    """Markdown of all pages that have any."""
    return PAGE_BREAK.join(page.markdown for page in result.pages if page.markdown)


def whole_text(result: DocumentResult) -> str:
    """Text of all pages that have any."""
    return PAGE_BREAK.join(page.text for page in result.pages if page.text)
