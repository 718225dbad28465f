"""The interface of an OCR engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ocr_service.core.documents import ImageMode, Page, PageResult
from ocr_service.core.options import Options, TextLayerUse


class EngineState(StrEnum):
    """State of an engine, with the values of `/health`."""

    NOT_INITIALIZED = "not_initialized"
    INITIALIZING = "initializing"
    READY = "ready"
    UNAVAILABLE = "unavailable"


class VlmState(StrEnum):
    """State of the vLLM server, with the values of `/health`."""

    READY = "ready"
    STARTING = "starting"
    UNAVAILABLE = "unavailable"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class VlmStatus:
    """Result of the last check of a vLLM server, or of the best of several.

    url: without credentials. model: name of the served model. max_length: its tokens for a block, image and
    text together; None if unknown. latency: seconds of the last successful check. error: last error, until a
    check succeeds. servers: the statuses of all servers, if the engine sends its calls to several.
    """

    state: VlmState = VlmState.DISABLED
    url: str | None = None
    model: str | None = None
    max_length: int | None = None
    latency: float | None = None
    error: str | None = None
    servers: tuple["VlmStatus", ...] = ()


class Engine(Protocol):
    """An OCR engine."""

    @property
    def name(self) -> str:
        """Short name, such as "tesseract"."""

    @property
    def title(self) -> str:
        """Display name, such as "Tesseract"."""

    @property
    def version(self) -> str | None:
        """Version of the engine; None before it is known."""

    @property
    def state(self) -> EngineState:
        """Current state; never waits."""

    @property
    def resolution(self) -> int:
        """Pixels per inch at which the engine reads best, the default for PDF pages."""

    @property
    def image_mode(self) -> ImageMode:
        """Pixel mode of the pages that the engine takes."""

    @property
    def max_page_side(self) -> int:
        """Maximum width and height of a page in pixels."""

    @property
    def max_pages_in_flight(self) -> int:
        """Number of decoded pages that keep the engine busy; more would only hold memory."""

    @property
    def job_pages(self) -> int:
        """How many of these may be pages of jobs while requests are read, so that requests hardly notice."""

    @property
    def default_text_layer(self) -> TextLayerUse:
        """Use of the text layer of PDFs if a request does not say it."""

    @property
    def checks_text_layer(self) -> bool:
        """Compare recognized pages with a good text layer, because the engine may invent text."""

    @property
    def finds_words(self) -> bool:
        """Whether blocks have words if the options ask for them; if not, these options are refused."""

    @property
    def fingerprint(self) -> Mapping[str, object] | None:
        """Everything that a result depends on besides the page and the options: models, versions, defaults.

        None while it is unknown; then results are not cached.
        """

    @property
    def starts_early(self) -> bool:
        """Start the engine with the service, because it is cheap, and not with the first request."""

    @property
    def vlm(self) -> VlmStatus:
        """Status of the vLLM server; disabled if the engine has none. Never waits."""

    async def watch(self) -> None:
        """Check the dependencies of the engine in the background, until cancelled."""

    async def start(self) -> None:
        """Start the engine; concurrent callers share one start. Raises EngineUnavailable."""

    async def close(self) -> None:
        """Release threads and models."""

    def check(self, options: Options) -> None:
        """Raise a RequestError for options that the engine, once started, does not support."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        """Read one page; a PageError fails this page only, an EngineError the document."""

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Restructure the pages of a whole document; raises RecognitionFailed.

        The pages may have been read elsewhere. The text is made anew from `blocks` and `raw`.
        """
