"""The text layer of a page → its result. Pure functions."""

from collections.abc import Iterator
from dataclasses import replace

from ocr_service.core.documents import Block, PageResult, PageWarning, TextSource, WarningCode
from ocr_service.core.options import Options
from ocr_service.decoding.text_layer.values import TextLayer
from ocr_service.layout.markdown import to_markdown


def result_of(index: int, layer: TextLayer, options: Options) -> PageResult:
    """Return the result of page `index`; its warnings say what is doubtful about the layer."""
    width, height = layer.size
    return PageResult(
        index=index,
        width=width,
        height=height,
        markdown=to_markdown(layer.blocks, options.markdown_ignore_labels),
        text=layer.text,
        blocks=tuple(_block(block, options) for block in layer.blocks),
        warnings=tuple(_warnings(layer)),
        decoded=(height, width) if layer.turned in (90, 270) else layer.size,
        rotation=-layer.turned % 360,
        source=TextSource.TEXT_LAYER,
    )


def _block(block: Block, options: Options) -> Block:
    return replace(block, words=block.words if options.words else (), source=TextSource.TEXT_LAYER)


def _warnings(layer: TextLayer) -> Iterator[PageWarning]:
    if layer.turned:
        detail = (
            "The text does not run from left to right: positions refer to the page turned by "
            f"{layer.turned} degrees clockwise."
        )
        yield PageWarning(WarningCode.ROTATED, detail)
    if layer.flaw is not None:
        yield PageWarning(WarningCode.TEXT_LAYER_DOUBTFUL, layer.flaw)
    elif layer.unknown:
        detail = "The PDF does not say which characters some of its codes stand for."
        yield PageWarning(WarningCode.TEXT_LAYER_DOUBTFUL, detail)
