"""Recognition options of a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class EngineOptions(Protocol):
    """Options of one engine: a frozen dataclass, since its `repr` is part of the cache key."""

    @property
    def changed(self) -> Sequence[str]:
        """Names of the options that differ from the engine's defaults."""

    @property
    def markdown_ignore_labels(self) -> tuple[str, ...] | None:
        """Labels of the blocks to leave out of the Markdown; None for the engine's default."""

    @property
    def repeatable(self) -> bool:
        """Whether the same page gives the same text again; if not, the result is not cached."""


class TextLayerUse(StrEnum):
    """Use of the text that a PDF itself holds, with the values of the requests.

    AUTO: where it is good. NEVER: all pages are recognized. ONLY: no page is recognized.
    """

    AUTO = "auto"
    NEVER = "never"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Options:
    """Recognition options; an engine refuses the ones that it does not support.

    lang: language names joined by "+"; None for the engine's default.
    rotate: degrees counterclockwise that make the pages upright: 0, 90, 180 or 270; None to find them.
    words: return the words of each block: `Block.words`.
    visualize: draw the detected blocks into `PageResult.drawings`.
    word_documents: make a Word document of each page: `PageResult.docx`.
    restructure_pages: join tables and adjust title levels across pages, after all pages are read.
    concatenate_pages: when pages are restructured, merge them into one page.
    text_layer: None for the engine's default.
    engine: options of one engine; None for its defaults.
    """

    lang: str | None = None
    rotate: int | None = None
    words: bool = False
    visualize: bool = False
    word_documents: bool = False
    restructure_pages: bool = False
    concatenate_pages: bool = False
    text_layer: TextLayerUse | None = None
    engine: EngineOptions | None = None

    @property
    def markdown_ignore_labels(self) -> tuple[str, ...] | None:
        """Labels of the blocks to leave out of the Markdown; None for the engine's default."""
        return self.engine.markdown_ignore_labels if self.engine else None

    @property
    def needs_recognition(self) -> bool:
        """Whether the request wants results that only the engine can make."""
        return self.word_documents or self.restructure_pages

    @property
    def repeatable(self) -> bool:
        """Whether the same page gives the same text again."""
        return self.engine is None or self.engine.repeatable
