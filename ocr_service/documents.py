"""The words of the service: what flows from one room to the next, and the seams between them.

Everything here is frozen: a stage takes a value and returns a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from PIL import Image

from ocr_service.errors import OcrError, PageError

ImageMode = Literal["L", "RGB"]
PromptLabel = Literal["ocr", "formula", "table", "chart", "spotting", "seal"]
ShapeMode = Literal["rect", "quad", "poly", "auto"]
MergeMode = Literal["large", "small", "union"]
StorageKind = Literal["s3", "local"]


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


# What its pipeline does where it is not told; it leaves off what is not named here.
_PADDLEOCR_VL_DEFAULTS: Mapping[str, object] = {
    "use_layout_detection": True,
    "layout_nms": True,
    "layout_shape_mode": "auto",
    "merge_layout_blocks": True,
    "prettify_markdown": True,
    "merge_tables": True,
    "relevel_titles": True,
}
# The options that are not PaddleOCR-VL's alone.
_EVERY_ENGINES = {"lang", "visualize", "concatenate_pages"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may choose about recognition; None leaves it to the engine.

    An engine refuses what it cannot do. All but the first three are PaddleOCR-VL's own, under the names and
    with the meanings of its `predict` and `restructure_pages`.

    lang: language names joined by "+".
    visualize: draw what was found: `PageResult.drawings`.
    word_documents: make one of each page: `PageResult.docx`.
    layout_threshold: least score of a layout box, 0 to 1, for all labels or by label number.
    layout_unclip_ratio: factor on a box's width and height: one, a pair, or a pair by label number.
    layout_merge_bboxes_mode: which of two nested boxes stays, for all labels or by label number.
    prompt_label: what the whole page is, where use_layout_detection is False.
    min_pixels, max_pixels: to which the VLM scales a block's picture.
    max_new_tokens: most tokens that the VLM writes for one block.
    vlm_extra_args: pixel limits by kind of block, such as table_max_pixels.
    restructure_pages: look at all pages together once they are read: merge_tables, relevel_titles.
    concatenate_pages: where pages are restructured, make one of them all.
    """

    lang: str | None = None
    visualize: bool | None = None
    word_documents: bool | None = None
    use_doc_orientation_classify: bool | None = None
    use_doc_unwarping: bool | None = None
    use_layout_detection: bool | None = None
    use_chart_recognition: bool | None = None
    use_seal_recognition: bool | None = None
    use_ocr_for_image_block: bool | None = None
    layout_threshold: float | Mapping[int, float] | None = None
    layout_nms: bool | None = None
    layout_unclip_ratio: float | tuple[float, float] | Mapping[int, tuple[float, float]] | None = None
    layout_merge_bboxes_mode: MergeMode | Mapping[int, MergeMode] | None = None
    layout_shape_mode: ShapeMode | None = None
    merge_layout_blocks: bool | None = None
    prompt_label: PromptLabel | None = None
    format_block_content: bool | None = None
    markdown_ignore_labels: tuple[str, ...] | None = None
    prettify_markdown: bool | None = None
    show_formula_number: bool | None = None
    repetition_penalty: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    max_new_tokens: int | None = None
    vlm_extra_args: Mapping[str, int] | None = None
    restructure_pages: bool | None = None
    merge_tables: bool | None = None
    relevel_titles: bool | None = None
    concatenate_pages: bool | None = None

    @property
    def asked_of_paddleocr_vl(self) -> Sequence[str]:
        """Names of the options that change something and that PaddleOCR-VL alone has."""
        names = (field.name for field in fields(self) if field.name not in _EVERY_ENGINES)
        given = ((name, getattr(self, name)) for name in names)
        return [name for name, value in given if value not in (None, _PADDLEOCR_VL_DEFAULTS.get(name, False))]


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


class EngineState(StrEnum):
    """Where an engine stands; the values are those that `/health` shows."""

    NOT_INITIALIZED = "not_initialized"
    INITIALIZING = "initializing"
    READY = "ready"
    UNAVAILABLE = "unavailable"


class VlmState(StrEnum):
    """Where the VLM's server stands; the values are those that `/health` shows."""

    READY = "ready"
    STARTING = "starting"
    UNAVAILABLE = "unavailable"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class VlmStatus:
    """What is known of the server that an engine's VLM runs in, as last seen.

    url: its address without credentials. model: the name under which it serves the model.
    latency: seconds of the last check that was answered. error: what was wrong last, kept until all is well.
    """

    state: VlmState = VlmState.DISABLED
    url: str | None = None
    model: str | None = None
    latency: float | None = None
    error: str | None = None


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
    def reads_by(self) -> Mapping[str, object] | None:
        """Everything that a result depends on beside page and options: models, versions, defaults.

        None while it is not known; what is read then is not kept for others.
        """

    @property
    def starts_early(self) -> bool:
        """Whether starting is cheap enough to do with the service rather than with the first request."""

    @property
    def vlm(self) -> VlmStatus:
        """The server that the engine's VLM runs in, disabled where it has none; never waits."""

    async def watch(self) -> None:
        """Keep an eye on what the engine depends on, beside the service, until cancelled."""

    async def start(self) -> None:
        """Make ready, once, whoever asks; raises EngineUnavailable."""

    async def close(self) -> None:
        """Let go of threads and models."""

    def check(self, options: Options) -> None:
        """Raise a RequestError for options that this started engine cannot honour."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        """Read one page; raises PageError for this page alone, EngineError for all."""

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Look at the pages of a whole document together; raises RecognitionFailed.

        They may have been read elsewhere: what they say is in `blocks` and `raw`, and their text is made
        anew.
        """


class Storage(Protocol):
    """The seam between the service and where its files stay.

    A key is a path with slashes between its parts. Whatever fails raises StorageOutage or StorageRefusal;
    their sentences hold no secret. An object appears whole or not at all.
    """

    @property
    def kind(self) -> StorageKind:
        """What it is."""

    @property
    def bucket(self) -> str | None:
        """The bucket's name, None where there are none."""

    @property
    def prefix(self) -> str:
        """What every key that the service makes begins with: empty, or with a slash at its end."""

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store an object in place of any that is there; metadata, in ASCII, is kept where it can be."""

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Return an object, None where there is none; raises TooManyBytes for a larger one, unread."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def url(self, key: str) -> str | None:
        """Return an address where anyone may fetch the object for a while, None where there are none."""

    async def check(self) -> None:
        """Find out whether it can be used; heavy imports happen here or at the first use."""

    async def close(self) -> None:
        """Let go of threads and connections."""


@runtime_checkable
class Forgetful(Protocol):
    """A storage that does not let go of old objects by itself, but can be told to."""

    @property
    def prefix(self) -> str:
        """As of any storage."""

    async def forget(self, folder: str, older_than: float) -> int:
        """Remove the folder's objects that were put more than so many seconds ago; return how many."""
