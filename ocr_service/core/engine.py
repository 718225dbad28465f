"""The seam between the service and an OCR engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ocr_service.core.documents import ImageMode, Page, PageResult
from ocr_service.core.options import Options


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
