"""Images of the page with the detected blocks, as in the official server, with bounded memory."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ocr_service.engines.paddleocr_vl.page_calls import Crop

PAGE = "input_img"

# Drawing takes about 30 bytes per pixel of the page. A4 at 400 dpi has 16 megapixels.
_MAX_PIXELS = 16_000_000


def draw(result: Any, pixels: Any, encode: Callable[[Any], Crop]) -> dict[str, bytes]:
    """Draw the blocks of a `PaddleOCRVLResult`; if the page has too many pixels, return the page alone.

    pixels: the input page. encode: pixels or a Pillow image → a file.
    """
    drawings = {PAGE: encode(pixels).data}
    if pixels.shape[0] * pixels.shape[1] > _MAX_PIXELS:
        return drawings
    layout = result["layout_det_res"]
    # `pipeline_parts.LayoutDetection` removes the page from the result of the layout model.
    layout["input_img"] = result["doc_preprocessor_res"]["output_img"]
    drawings |= {name: encode(image).data for name, image in result.img.items()}
    layout["input_img"] = None
    return drawings


def draw_masks_one_by_one() -> None:
    """Make paddlex create the mask of one block at a time; raises AttributeError for another paddlex.

    Otherwise it allocates a mask of the size of the page for every block before it draws the first.
    """
    module: Any = importlib.import_module("paddlex.inference.models.layout_analysis.result")
    masks_of = module.restore_to_draw_masks
    if not isinstance(masks_of, _LazyMasks):
        module.restore_to_draw_masks = _LazyMasks(masks_of)


class _LazyMasks:
    """Replaces `restore_to_draw_masks`."""

    def __init__(self, masks_of: Callable[..., Any]) -> None:
        self._masks_of = masks_of

    def __call__(self, size: Sequence[int], boxes: Sequence[Any]) -> "_Masks":
        return _Masks(self._masks_of(size, [box])[0] for box in boxes)


class _Masks:
    """Masks, each created when it is drawn; the caller slices them to the size that they already have."""

    def __init__(self, masks: Iterator[Any]) -> None:
        self._masks = masks

    def __getitem__(self, _: Any) -> Iterator[Any]:
        return self._masks
