"""Requests of the service to a decoding process, and its replies."""

from dataclasses import dataclass, field

from ocr_service.core.documents import ImageMode, PageWarning
from ocr_service.decoding.limits import Limits

NO_COMMON_UNIT = 0.0
"""Points per unit of a PDF whose pages may have user units; otherwise 1 holds for all of them."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Facts about a document that are known once it was open.

    page_count: 0 for a document that was not open yet. common_unit: points per unit of its pages.
    may_hide_layers: whether layers of its pages may not be shown.
    """

    page_count: int = 0
    common_unit: float = NO_COMMON_UNIT
    may_hide_layers: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """How to open a document.

    format_name: as `signatures.identify` returns it. dpi: for PDF pages. password: of a PDF.
    """

    format_name: str
    dpi: int
    mode: ImageMode
    limits: Limits
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Open:
    """Open the document. Reply: its `Contents`."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Measure:
    """Reply: the number of pixels of page `index`, from 1, after drawing; at least as many as it has."""

    kind: Kind
    contents: Contents
    index: int


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw page `index`, from 1, into the memory. Reply: `Drawn`."""

    kind: Kind
    contents: Contents
    index: int


@dataclass(frozen=True, slots=True)
class ReadText:
    """Read the text that the file itself holds for page `index`, from 1. Reply: `TextLayer`, or None."""

    kind: Kind
    contents: Contents
    index: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page in the memory: its size in pixels, its pixels per inch if known, and its warnings.

    without_text: its warnings if no text is found on it.
    """

    width: int
    height: int
    resolution: int | None
    warnings: tuple[PageWarning, ...] = ()
    without_text: tuple[PageWarning, ...] = ()
