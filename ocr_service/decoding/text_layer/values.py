"""The text layer of a page: the text that a PDF itself holds."""

from dataclasses import dataclass

from ocr_service.core.documents import Block, Box


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The text of a PDF page, in the frame in which most of it is upright.

    size: width and height of this frame in pixels.
    turned: degrees by which the page as drawn is turned clockwise for this frame: 0, 90, 180 or 270.
    blocks, text: as in `PageLayout`; empty if the page has no text.
    words: places of the words in the frame.
    pictures: the parts of the page, as drawn, that may show text which the blocks lack.
    is_blank: nothing is painted on the page.
    flaw: why the text may be wrong or incomplete, as one sentence, or None.
    unknown: number of characters without a known meaning.
    """

    size: tuple[int, int]
    turned: int = 0
    blocks: tuple[Block, ...] = ()
    text: str = ""
    words: tuple[Box, ...] = ()
    pictures: tuple[Box, ...] = ()
    is_blank: bool = False
    flaw: str | None = None
    unknown: int = 0

    @property
    def is_usable(self) -> bool:
        """Whether the text can replace reading the page: there is text, or nothing to read."""
        if self.flaw is not None or (self.turned and self.pictures):
            return False
        return bool(self.blocks) or self.is_blank
