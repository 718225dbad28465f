"""The words of the service: what flows from one room to the next, and the seam an engine fills.

Everything here is frozen: a stage takes a value and returns a value.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from PIL import Image

from ocr_service.errors import PageError

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
class Options:
    """What a caller may choose about recognition; an engine refuses what it cannot do.

    lang: language names joined by "+", or None for the engine's default.
    """

    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a page's layout.

    label: what the piece is, such as "text", "doc_title", "paragraph_title", "list".
    bbox: (x0, y0, x1, y1) in pixels of the page as decoded, origin top left.
    content: the piece's text.
    order: position in reading order, from 1.
    confidence: 0 to 1, or None where the engine has none.
    """

    label: str
    bbox: tuple[int, int, int, int]
    content: str
    order: int
    confidence: float | None = None


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

    width, height: in pixels as decoded, 0 where the page could not be read.
    failure: why there is no text, or None.
    """

    index: int
    width: int
    height: int
    markdown: str
    text: str
    blocks: tuple[Block, ...]
    timings: Timings = Timings()
    failure: PageError | None = None


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """A whole document: its pages in order, and how long it took from the first byte decoded, in seconds."""

    pages: tuple[PageResult, ...]
    timings: Timings
    total: float


class EngineState(StrEnum):
    """Where an engine stands; the values are those that `/health` shows."""

    NOT_INITIALIZED = "not_initialized"
    INITIALIZING = "initializing"
    READY = "ready"
    UNAVAILABLE = "unavailable"


class Engine(Protocol):
    """The seam between the service and whatever reads pages."""

    @property
    def name(self) -> str:
        """Short name, such as "tesseract"."""

    @property
    def title(self) -> str:
        """The name as people write it, such as "Tesseract"."""

    @property
    def version(self) -> str | None:
        """Version of what reads the pages, or None before it is known."""

    @property
    def state(self) -> EngineState:
        """Current state; never waits."""

    @property
    def resolution(self) -> int:
        """Pixels per inch at which the engine reads best; PDF pages are rendered so."""

    @property
    def image_mode(self) -> ImageMode:
        """Pixel mode that pages must come in."""

    @property
    def max_page_side(self) -> int:
        """Most pixels that a page may be wide or high."""

    @property
    def max_pages_in_flight(self) -> int:
        """How many decoded pages keep the engine busy; more would only hold memory."""

    @property
    def starts_early(self) -> bool:
        """Whether starting is cheap enough to do with the service rather than with the first request."""

    async def start(self) -> None:
        """Make ready, once, whoever asks; raises EngineUnavailable."""

    async def close(self) -> None:
        """Let go of threads and models."""

    def check(self, options: Options) -> None:
        """Raise a RequestError for options that this started engine cannot honour."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        """Read one page; raises PageError for this page alone, EngineError for all."""
