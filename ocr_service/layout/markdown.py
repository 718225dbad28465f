"""Blocks → Markdown. Pure functions."""

import re
from collections.abc import Collection, Iterable
from html import unescape
from itertools import starmap

from ocr_service.core.documents import Block
from ocr_service.layout.labels import DOC_TITLE, FOOTER, HEADER, LIST, NUMBER, PARAGRAPH_TITLE, TABLE

_PREFIXES = {DOC_TITLE: "# ", PARAGRAPH_TITLE: "## "}

# A paragraph that looks like a heading, a quotation, a list, a rule or the underline of a heading must stay a
# paragraph.
_OPENS_MARKUP = re.compile(r"^(#{1,6}(?!\S)|>|[-+](?!\S)|=+$|-{2,}|~{3,})")
_OPENS_NUMBER = re.compile(r"^(\d{1,9})([.)])(?!\S)")
# The mark of an item; the text behind it is escaped, the mark is not.
_ITEM = re.compile(r"^(- |\d{1,3}[.)] +)?(.*)$", re.DOTALL)
# Characters that would be markup in the middle of a text:
_INLINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # a backslash before punctuation, or before a line break
    r"|`"
    r"|(?<!\s)\*|\*(?!\s|$)"  # an asterisk, except alone
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore, except inside a word
    r"|~(?=~)|(?<=~)~|(?<!\s)~|~(?!\s|\d|$)"
    r"|\[(?=[^\]]*\][(\[:])|\](?=[(\[:])"  # a link
    r"|<(?=[A-Za-z/!?])"  # text from the page must not become HTML in a viewer
    r"|&(?=#?\w+;)"
)

_SIMPLE_TABLE = re.compile(r"<table>(?:<tr>(?:<td>(?:<b>[^<]+</b>|[^<]*)</td>)+</tr>)+</table>")
_ROW = re.compile(r"<tr>(.*?)</tr>")
_CELL = re.compile(r"<td>(<b>)?([^<]*)(?:</b>)?</td>")


def to_markdown(blocks: Iterable[Block], ignore_labels: Collection[str] | None = None) -> str:
    """Return the blocks as Markdown, separated by empty lines.

    ignore_labels: of blocks that are left out; None for running heads and page numbers.
    """
    ignored = (HEADER, FOOTER, NUMBER) if ignore_labels is None else ignore_labels
    return "\n\n".join(_block_markdown(block) for block in blocks if block.label not in ignored)


def _block_markdown(block: Block) -> str:
    if block.label == TABLE:
        return _table(block.content)
    if block.label == LIST:
        return "\n".join(map(_item, block.content.split("\n")))
    if prefix := _PREFIXES.get(block.label):
        # Numbers signs at the end of a heading would be left out.
        return prefix + re.sub(r"(#+)$", r"\\\1", _inline(block.content))
    return "\n".join(_escaped(line) for line in block.content.split("\n"))


def _table(html: str) -> str:
    """Return a table of Markdown, or the HTML itself if it has merged cells."""
    rows = [_CELL.findall(row) for row in _ROW.findall(html)] if _SIMPLE_TABLE.fullmatch(html) else []
    if len({len(row) for row in rows}) != 1:
        return html
    lines = [f"| {' | '.join(starmap(_table_cell, row))} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _table_cell(bold: str, html: str) -> str:
    text = _inline(unescape(html)).replace("|", "\\|")
    return f"**{text}**" if bold else text


def _item(text: str) -> str:
    mark, content = _ITEM.fullmatch(text).groups("")  # type: ignore[union-attr] # it matches every text
    return str(mark) + _escaped(content)


def _escaped(text: str) -> str:
    escaped = _inline(text)
    if _OPENS_MARKUP.match(escaped):
        return "\\" + escaped
    return _OPENS_NUMBER.sub(r"\1\\\2", escaped)


def _inline(text: str) -> str:
    return _INLINE.sub(r"\\\g<0>", text)
