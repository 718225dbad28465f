"""Blocks → Markdown. Pure functions."""

import re
from collections.abc import Iterable

from ocr_service.documents import Block
from ocr_service.tesseract.layout import DOC_TITLE, LIST, PARAGRAPH_TITLE

_PREFIXES = {DOC_TITLE: "# ", PARAGRAPH_TITLE: "## "}

# A paragraph that happens to begin like a heading, a quotation, a list or a rule must not turn into one.
_LOOKS_LIKE_MARKUP = re.compile(r"^(#{1,6}\s|>|[-+*]\s|={3,}|-{3,}|\*{3,}|```|~~~)")


def to_markdown(blocks: Iterable[Block]) -> str:
    """Write the blocks one after another, an empty line between them."""
    return "\n\n".join(_piece(block) for block in blocks)


def _piece(block: Block) -> str:
    if block.label == LIST:
        return block.content
    prefix = _PREFIXES.get(block.label, "")
    return prefix + (block.content if prefix else _escaped(block.content))


def _escaped(text: str) -> str:
    return "\\" + text if _LOOKS_LIKE_MARKUP.match(text) else text
