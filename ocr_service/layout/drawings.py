"""Images of the page with the detected blocks."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ocr_service.core.documents import Block

_LONGEST_SIDE = 2000
_QUALITY = 90
_FONT_SIZE = 18
_COLOURS = ("#c02020", "#2060c0", "#208040", "#a06000", "#8020a0")


def draw(image: Image.Image, blocks: Sequence[Block]) -> dict[str, bytes]:
    """Return the page, and the page with the outline, label and order of each block."""
    page = image.copy()
    page.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR)
    outlined = page.convert("RGB")
    _outline(outlined, blocks, page.width / image.width)
    return {"input_img": _jpeg(page), "layout_det_res": _jpeg(outlined)}


def _outline(page: Image.Image, blocks: Sequence[Block], scale: float) -> None:
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(_FONT_SIZE)
    labels = sorted({block.label for block in blocks})
    for block in blocks:
        colour = _COLOURS[labels.index(block.label) % len(_COLOURS)]
        left, top, right, bottom = (edge * scale for edge in block.bbox)
        pen.rectangle((left, top, right, bottom), outline=colour, width=3)
        pen.text((left, max(0, top - _FONT_SIZE - 4)), f"{block.order} {block.label}", fill=colour, font=font)


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
