"""Blocks → Markdown. Pure functions."""

import re
from collections.abc import Iterable

from ocr_service.core.documents import Block
from ocr_service.layout.compose import DOC_TITLE, LIST, PARAGRAPH_TITLE

_PREFIXES = {DOC_TITLE: "# ", PARAGRAPH_TITLE: "## "}

# A paragraph that looks like a heading, a quotation, a list or a rule must stay a paragraph.
_LOOKS_LIKE_MARKUP = re.compile(r"^(#{1,6}\s|>|[-+*]\s|={3,}|-{3,}|\*{3,}|```|~~~)")
_LOOKS_LIKE_A_NUMBER = re.compile(r"^(\d{1,9})([.)]\s)")
# Text from the page must not become HTML in a viewer.
_LOOKS_LIKE_HTML = re.compile(r"<(?=[A-Za-z/!?])")


def to_markdown(blocks: Iterable[Block]) -> str:
    """Return the blocks as Markdown, separated by empty lines."""
    return "\n\n".join(_block_markdown(block) for block in blocks)


def _block_markdown(block: Block) -> str:
    content = _LOOKS_LIKE_HTML.sub(r"\\<", block.content)
    if block.label == LIST:
        return content
    prefix = _PREFIXES.get(block.label, "")
    return prefix + (content if prefix else _escaped(content))


def _escaped(text: str) -> str:
    if _LOOKS_LIKE_MARKUP.match(text):
        return "\\" + text
    return _LOOKS_LIKE_A_NUMBER.sub(r"\1\\\2", text)
