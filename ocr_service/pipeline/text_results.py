"""The text layer of a page → its result. Pure functions."""

from collections.abc import Collection, Iterator

from ocr_service.core.documents import PageResult, PageWarning, TextSource, WarningCode
from ocr_service.decoding.text_layer import TextLayer
from ocr_service.layout.markdown import to_markdown


def result_of(index: int, layer: TextLayer, ignore_labels: Collection[str] | None) -> PageResult:
    """Return the result of page `index`; its warnings say what is doubtful about the layer.

    ignore_labels: as for `to_markdown`.
    """
    width, height = layer.size
    return PageResult(
        index=index,
        width=width,
        height=height,
        markdown=to_markdown(layer.blocks, ignore_labels),
        text=layer.text,
        blocks=layer.blocks,
        warnings=tuple(_warnings(layer)),
        decoded=(height, width) if layer.turned in (90, 270) else layer.size,
        rotation=-layer.turned % 360,
        source=TextSource.TEXT_LAYER,
    )


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
