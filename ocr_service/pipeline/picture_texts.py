"""The text of pictures on a page whose other text comes from the text layer: the engine reads it."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image, ImageDraw

from ocr_service.core.documents import Block, Box, Page, PageResult, PageWarning, WarningCode
from ocr_service.core.engine import Engine
from ocr_service.core.errors import PageError
from ocr_service.core.options import Options
from ocr_service.decoding.text_layer.values import TextLayer

# Pixels around a picture that are read with it.
_MARGIN = 8
_NOT_READ = PageWarning(
    WarningCode.PICTURES_NOT_READ, "The text in a picture or a form field of the page could not be read well."
)


async def with_picture_texts(
    result: PageResult, engine: Engine, page: Page, layer: TextLayer, options: Options
) -> PageResult:
    """Return the result of a text layer with the text of the pictures at its end; raises EngineError.

    A picture that is not read well adds a warning, and no text.
    """
    for box in layer.pictures:
        area = _with_margin(box, page.image.size)
        picture = replace(page, image=_without_words(page.image, area, layer.words))
        try:
            read = await engine.recognize(picture, replace(options, visualize=False))
        except PageError:
            result = _with_warning(result)
            continue
        if any(warning.code is WarningCode.LOW_CONFIDENCE for warning in read.warnings):
            result = _with_warning(result)
        elif read.text:
            result = _joined(result, read, area)
    return result


def _with_margin(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    width, height = size
    return (
        max(0, left - _MARGIN),
        max(0, top - _MARGIN),
        min(width, right + _MARGIN),
        min(height, bottom + _MARGIN),
    )


def _without_words(image: Image.Image, area: Box, words: Sequence[Box]) -> Image.Image:
    """Return a part of the page on which the words of the text layer are painted over."""
    left, top, right, bottom = area
    picture = image.crop(area)
    pen = ImageDraw.Draw(picture)
    for x0, y0, x1, y1 in words:
        if x0 < right and x1 > left and y0 < bottom and y1 > top:
            pen.rectangle((x0 - left, y0 - top, x1 - left, y1 - top), fill="white")
    return picture


def _joined(result: PageResult, read: PageResult, area: Box) -> PageResult:
    """Return the result with the blocks of a picture behind its own."""
    left, top, *_ = area
    blocks = tuple(_moved(block, left, top, len(result.blocks)) for block in read.blocks)
    return replace(
        result,
        markdown="\n\n".join(filter(None, (result.markdown, read.markdown))),
        text="\n\n".join(filter(None, (result.text, read.text))),
        blocks=(*result.blocks, *blocks),
        warnings=(*result.warnings, *read.warnings),
        images={**result.images, **read.images},
    )


def _moved(block: Block, left: int, top: int, before: int) -> Block:
    x0, y0, x1, y1 = block.bbox
    return replace(block, bbox=(x0 + left, y0 + top, x1 + left, y1 + top), order=block.order + before)


def _with_warning(result: PageResult) -> PageResult:
    return result if _NOT_READ in result.warnings else replace(result, warnings=(*result.warnings, _NOT_READ))
