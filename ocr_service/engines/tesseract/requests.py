"""Requests of the engine to a Tesseract process. The document is the pixels of a page, a byte each."""

from dataclasses import dataclass

from ocr_service.core.options import Options


@dataclass(frozen=True, slots=True)
class AskVersion:
    """Reply: the version of Tesseract."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read a page. Reply: its `PageResult`.

    size: width and height. resolution: pixels per inch, or None. lang: languages, joined by "+".
    seconds: time limit.
    """

    index: int
    size: tuple[int, int]
    resolution: int | None
    lang: str
    options: Options
    seconds: float
