"""Lines → blocks in reading order, and text: paragraphs, headings, lists and tables. Pure functions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from ocr_service.core.documents import Block
from ocr_service.core.options import Options
from ocr_service.layout.grids import find_grids
from ocr_service.layout.headings import Body, heading_label
from ocr_service.layout.labels import LIST, TABLE, TEXT
from ocr_service.layout.paragraphs import Paragraph, group_lists, paragraphs_of
from ocr_service.layout.row_tables import with_row_tables
from ocr_service.layout.rulings import NO_RULINGS, Rulings
from ocr_service.layout.running_heads import without_running_heads
from ocr_service.layout.tables import Table, with_ruled_tables
from ocr_service.layout.words import Line, enclosing, mean_confidence


@dataclass(frozen=True, slots=True)
class PageLayout:
    """The layout of a page.

    blocks: in reading order, with their words.
    text: the page as plain text, line by line, with empty lines between paragraphs, and tabs between the
    cells of a table.
    """

    blocks: tuple[Block, ...]
    text: str

    def blocks_for(self, options: Options) -> tuple[Block, ...]:
        """Return the blocks, with their words only if the options ask for them."""
        return self.blocks if options.words else tuple(replace(block, words=()) for block in self.blocks)


def compose(lines: Sequence[Line], size: tuple[int, int], rulings: Rulings = NO_RULINGS) -> PageLayout:
    """Join the lines of a page, in reading order, into blocks.

    size: width and height of the page in pixels.
    """
    body = Body.of(lines)
    ruled = with_ruled_tables(lines, find_grids(rulings, size))
    flow = [item for section in _sections(ruled) for item in _with_row_tables(section)]
    heads = without_running_heads(flow, size[1], body)
    blocks = [*_head_blocks(heads.top), *_blocks(heads.flow, body), *_head_blocks(heads.bottom)]
    numbered = tuple(replace(block, order=order) for order, block in enumerate(blocks, start=1))
    texts = (_head_text(heads.top), _plain_text(heads.flow), _head_text(heads.bottom))
    return PageLayout(numbered, "\n\n".join(filter(None, texts)))


def _head_blocks(pieces: Iterable[tuple[str, Line]]) -> Iterator[Block]:
    for label, piece in pieces:
        yield _block(label, [piece], piece.text)


def _head_text(pieces: Iterable[tuple[str, Line]]) -> str:
    return " ".join(piece.text for _, piece in pieces)


def _with_row_tables(section: Table | list[Line]) -> list[Line | Table]:
    return [section] if isinstance(section, Table) else with_row_tables(section)


def _blocks(flow: Sequence[Line | Table], body: Body) -> Iterator[Block]:
    """Yield the blocks, not yet numbered."""
    for section in _sections(flow):
        if isinstance(section, Table):
            yield _block(TABLE, section.lines, section.html)
        else:
            groups = [*group_lists(paragraphs_of(section, body)), []]
            for group, following in pairwise(groups):
                yield _block_of_paragraphs(group, following, body)


def _sections(flow: Iterable[Line | Table]) -> Iterator[Table | list[Line]]:
    """Yield the tables, and the runs of lines between them."""
    for is_table, items in groupby(flow, key=lambda item: isinstance(item, Table)):
        if is_table:
            yield from (item for item in items if isinstance(item, Table))
        else:
            yield [item for item in items if isinstance(item, Line)]


def _block_of_paragraphs(
    paragraphs: Sequence[Paragraph], following: Sequence[Paragraph], body: Body
) -> Block:
    """Return the block of a paragraph or a list; a list of one item can be a heading with a number."""
    lines = [line for paragraph in paragraphs for line in paragraph.lines]
    below = following[0].lines if following else ()
    if len(paragraphs) == 1 and (label := heading_label(lines, below, body)):
        return _block(label, lines, paragraphs[0].text)
    if paragraphs[0].is_item:
        return _block(LIST, lines, "\n".join(paragraph.as_item for paragraph in paragraphs))
    return _block(TEXT, lines, paragraphs[0].text)


def _block(label: str, lines: Sequence[Line], content: str) -> Block:
    words = tuple(word for line in lines for word in line.words)
    box = enclosing(line.bbox for line in lines)
    return Block(label, box, content, 0, mean_confidence(lines), words=words)


def _plain_text(flow: Iterable[Line | Table]) -> str:
    return "\n\n".join(
        section.text if isinstance(section, Table) else _text_of(section) for section in _sections(flow)
    )


def _text_of(lines: Iterable[Line]) -> str:
    opened = (("\n\n" if line.opens_paragraph or line.opens_block else "\n") + line.text for line in lines)
    return "".join(opened).strip()
