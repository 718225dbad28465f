"""Pictures that show what was found in a page, as the official server gives them, within bounds of memory."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ocr_service.engines.paddleocr_vl.page_calls import Crop

PAGE = "input_img"

# Drawing takes some thirty bytes for each of a page's pixels; A4 at 400 dpi has as many.
_MOST_PIXELS = 16_000_000


def draw(result: Any, pixels: Any, encode: Callable[[Any], Crop]) -> dict[str, bytes]:
    """Draw what a `PaddleOCRVLResult` says; of a page with very many pixels, show the page alone.

    pixels: the page as it was read. encode: pixels, or a Pillow image, → a file.
    """
    drawings = {PAGE: encode(pixels).data}
    if pixels.shape[0] * pixels.shape[1] > _MOST_PIXELS:
        return drawings
    layout = result["layout_det_res"]
    # The layout model's result came without the page, see `seams.LayoutDetection`.
    layout["input_img"] = result["doc_preprocessor_res"]["output_img"]
    drawings |= {name: encode(image).data for name, image in result.img.items()}
    layout["input_img"] = None
    return drawings


def draw_masks_one_by_one() -> None:
    """Let paddlex draw blocks' outlines one after the other; raises AttributeError where it does not so.

    It would lay out a mask of the page's size for each of them, before it draws any.
    """
    module: Any = importlib.import_module("paddlex.inference.models.layout_analysis.result")
    masks_of = module.restore_to_draw_masks
    if not isinstance(masks_of, _MasksInTurn):
        module.restore_to_draw_masks = _MasksInTurn(masks_of)


class _MasksInTurn:
    """Stands where `restore_to_draw_masks` does."""

    def __init__(self, masks_of: Callable[..., Any]) -> None:
        self._masks_of = masks_of

    def __call__(self, size: Sequence[int], boxes: Sequence[Any]) -> "_Masks":
        return _Masks(self._masks_of(size, [box])[0] for box in boxes)


class _Masks:
    """Masks, each made when it is its turn; its caller cuts them to the page's size, which they have."""

    def __init__(self, masks: Iterator[Any]) -> None:
        self._masks = masks

    def __getitem__(self, _: Any) -> Iterator[Any]:
        return self._masks
