"""Readings → results of pages."""

from collections.abc import Iterator
from dataclasses import replace

from ocr_service.core.documents import Block, Page, PageResult, PageWarning, WarningCode, Word
from ocr_service.core.options import Options
from ocr_service.engines.page_warnings import no_text, rotated
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.reading import Reading
from ocr_service.engines.tesseract.scripts import with_one_script
from ocr_service.layout.drawings import draw
from ocr_service.layout.markdown import to_markdown
from ocr_service.layout.pixels import compose_picture

# Measured on 60 degraded pages: with an error in 25 characters or fewer, the confidence was at least 0.77;
# upside down, sideways, mirrored or too blurred, at most 0.60.
_LOW_CONFIDENCE = 0.75
# Measured on 40 degraded pages with 18 wrong numbers in 1175: 29 are below this, 8 of them wrong.
_DOUBTFUL_NUMBER = 0.6


def page_result(page: Page, reading: Reading, options: Options) -> PageResult:
    """Return the result of a page, with positions on the upright page."""
    picture = reading.picture
    layout = compose_picture(with_one_script(reading.lines), picture.grey)
    blocks = tuple(_on_page(block, picture) for block in layout.blocks_for(options))
    width, height = picture.upright_size
    return PageResult(
        index=page.index,
        width=width,
        height=height,
        rotation=picture.turn,
        markdown=to_markdown(layout.blocks, options.markdown_ignore_labels),
        text=layout.text,
        blocks=blocks,
        confidence=reading.confidence,
        warnings=(*_notices(picture), *_doubts(page, reading)),
        drawings=draw(page.image.rotate(picture.turn, expand=True), blocks) if options.visualize else {},
    )


def _on_page(block: Block, picture: Picture) -> Block:
    words = tuple(replace(word, bbox=picture.on_page(word.bbox)) for word in block.words)
    return replace(block, bbox=picture.on_page(block.bbox), words=words)


def _notices(picture: Picture) -> Iterator[PageWarning]:
    if picture.turn:
        yield rotated(picture.turn)
    if picture.corrections:
        changes = dict.fromkeys(correction.value for correction in picture.corrections)
        detail = f"Before it was read, the page was {' and '.join(changes)}."
        yield PageWarning(WarningCode.CORRECTED, detail)


def _doubts(page: Page, reading: Reading) -> Iterator[PageWarning]:
    if len(reading.missing):
        detail = "Another reading of the page found words at places where the text has none."
        yield PageWarning(WarningCode.READINGS_DIFFER, detail)
    if reading.unread:
        detail = "Parts of the page look like text that could not be read."
        yield PageWarning(WarningCode.TEXT_NOT_READ, detail)
    if reading.confidence is None:
        yield from no_text(page.image)
    elif reading.confidence < _LOW_CONFIDENCE:
        detail = "The confidence is low, in every direction and light that was tried: the text may be wrong."
        yield PageWarning(WarningCode.LOW_CONFIDENCE, detail)
    elif any(_is_doubtful_number(word) for line in reading.lines for word in line.words):
        detail = "The confidence of a number is low: the confidence of each word says which one."
        yield PageWarning(WarningCode.NUMBERS_DOUBTFUL, detail)


def _is_doubtful_number(word: Word) -> bool:
    assert word.confidence is not None
    digits, letters = sum(map(str.isdigit, word.text)), sum(map(str.isalpha, word.text))
    return word.confidence < _DOUBTFUL_NUMBER and digits > 1 and digits > letters
