"""Pages, blocks and results: the values that pass from one stage to the next.

All of them are frozen: a stage takes a value and returns a new one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from PIL import Image

from ocr_service.core.errors import OcrError, PageError
from ocr_service.core.turns import UNKNOWN, Caller

# Between the pages of a document, in `markdown` and in `text`.
PAGE_BREAK = "\n\n"

ImageMode = Literal["L", "RGB"]

# Left, top, right and bottom edge, in pixels of a page; the origin is the upper left corner.
Box = tuple[int, int, int, int]


class WarningCode(StrEnum):
    """Kind of a warning, with the values of the answers."""

    ROTATED = "rotated"
    CORRECTED = "corrected"
    FONTS_SUBSTITUTED = "fonts_substituted"
    MISSING_CHARACTERS = "missing_characters"
    TRUNCATED_FILE = "truncated_file"
    DYNAMIC_FORM = "dynamic_form"
    TRUNCATED = "truncated"
    REPETITION = "repetition"
    LOW_RESOLUTION = "low_resolution"
    LOW_CONFIDENCE = "low_confidence"
    READINGS_DIFFER = "readings_differ"
    TEXT_NOT_READ = "text_not_read"
    NUMBERS_DOUBTFUL = "numbers_doubtful"
    NO_TEXT = "no_text"
    TEXT_LAYER_DOUBTFUL = "text_layer_doubtful"
    TEXT_LAYER_DIFFERS = "text_layer_differs"
    PICTURES_NOT_READ = "pictures_not_read"

    @property
    def is_notice(self) -> bool:
        """Whether the warning only says how the page was read; its text is as good as that of other pages."""
        return self in (WarningCode.ROTATED, WarningCode.CORRECTED, WarningCode.FONTS_SUBSTITUTED)


class TextSource(StrEnum):
    """Source of the text of a page, with the values of the answers."""

    OCR = "ocr"
    TEXT_LAYER = "text_layer"


@dataclass(frozen=True, slots=True)
class PageWarning:
    """A reason to check the text of a page.

    detail: one sentence, without text of the document.
    """

    code: WarningCode
    detail: str


@dataclass(frozen=True, slots=True)
class PageQuality:
    """How well a page was read; small, so that it can be kept without its page.

    index: number of the page. characters: length of its text. failed: text of the page, or of a block, is
    missing or incomplete.
    """

    index: int
    characters: int
    confidence: float | None
    warnings: tuple[PageWarning, ...]
    failed: bool

    @property
    def is_doubtful(self) -> bool:
        """Whether a warning says that text may be wrong or missing."""
        return any(not warning.code.is_notice for warning in self.warnings)


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page.

    index: number of the page in its document, from 1.
    image: pixels in the mode of the engine (`Engine.image_mode`), upright, without alpha.
    resolution: pixels per inch; None if the file has no plausible value.
    warnings: found while the page was decoded.
    caller: the sender of the document.
    without_text: warnings if no text is found on the page.
    """

    index: int
    image: Image.Image
    resolution: int | None
    warnings: tuple[PageWarning, ...] = ()
    caller: Caller = UNKNOWN
    without_text: tuple[PageWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a page.

    confidence: 0 to 1; None if the text was not recognized but taken from the file.
    size: size of the font in pixels; None if it is not known.
    bold, italic: None if it is not known.
    """

    text: str
    bbox: Box
    confidence: float | None = None
    size: float | None = None
    bold: bool | None = None
    italic: bool | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the page layout.

    label: kind of the block, such as "text", "doc_title", "paragraph_title", "list".
    bbox: in pixels of the page as decoded.
    content: text of the block; a table as HTML, a formula as LaTeX.
    order: position in reading order, from 1.
    confidence: 0 to 1; None if the engine gives none.
    failure: error of a block without text or with a part of it, or None.
    words: in reading order, if the request wants them.
    source: of the text; on a page whose text is from the text layer, the pictures have recognized blocks.
    """

    label: str
    bbox: Box
    content: str
    order: int
    confidence: float | None = None
    failure: OcrError | None = None
    words: tuple[Word, ...] = ()
    source: TextSource = TextSource.OCR


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent on one page, or the sum over all pages of a document."""

    decode: float = 0.0
    queue: float = 0.0
    recognize: float = 0.0

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(self.decode + other.decode, self.queue + other.queue, self.recognize + other.recognize)


@dataclass(frozen=True, slots=True)
class PageResult:
    """The result of one page.

    width, height: pixels of the page as decoded, or after the engine rotated or unwarped it; 0 if the page
    failed.
    rotation: degrees counterclockwise by which the engine turned the page: 0, 90, 180 or 270.
    failure: error of a page without text, or None.
    confidence: 0 to 1; None if the engine gives none.
    warnings: of the decoder and of the engine.
    decoded: width and height before the engine rotated or unwarped the page; 0 if the page failed.
    images: pictures in the Markdown, by their path there; JPEG files.
    drawings: the page as "input_img", and other names for drawings of the results; JPEG files.
    docx: the page as a Word document, if the request wants one.
    raw: the complete output of the engine as JSON values; None if the engine has none.
    source: of the text; the text of pictures on the page is always recognized.
    """

    index: int
    width: int
    height: int
    markdown: str
    text: str
    blocks: tuple[Block, ...]
    timings: Timings = Timings()
    failure: PageError | None = None
    confidence: float | None = None
    warnings: tuple[PageWarning, ...] = ()
    decoded: tuple[int, int] = (0, 0)
    rotation: int = 0
    images: Mapping[str, bytes] = field(default_factory=dict)
    drawings: Mapping[str, bytes] = field(default_factory=dict)
    docx: bytes | None = None
    raw: Mapping[str, Any] | None = None
    source: TextSource = TextSource.OCR

    @property
    def size(self) -> int:
        """Bytes of the files and of the Markdown, which are nearly all of a page."""
        files = (*self.images.values(), *self.drawings.values(), self.docx or b"", self.markdown)
        return sum(map(len, files))

    @property
    def failed_blocks(self) -> Sequence[Block]:
        """Blocks without text or with a part of it, of a page that was read."""
        return [block for block in self.blocks if block.failure]

    @property
    def quality(self) -> PageQuality:
        """How well the page was read."""
        failed = self.failure is not None or bool(self.failed_blocks)
        return PageQuality(self.index, len(self.text), self.confidence, self.warnings, failed)


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """The result of a document.

    pages: in order. Those of a long result from the cache are made again at each pass over them.
    total: seconds from opening the document to the result.
    cached: read for an earlier request, or for an equal one at the same time; then `timings` are 0.
    known_quality: that of the pages, if it is known without them.
    """

    pages: Sequence[PageResult]
    timings: Timings
    total: float
    cached: bool = False
    known_quality: Sequence[PageQuality] | None = field(default=None, compare=False)

    @property
    def quality(self) -> Sequence[PageQuality]:
        """How well each page was read."""
        return self.known_quality or [page.quality for page in self.pages]
