"""Images that end early, or are damaged in the middle: the part that can be decoded, on white."""

from contextlib import suppress
from typing import Any, cast

from PIL import Image, ImageFile

# Color of the pixels that were not decoded. Other modes have no fixed white.
_WHITE: dict[str, Any] = {
    **dict.fromkeys(("1", "L", "LA", "RGB", "RGBA", "RGBX"), "white"),
    "I;16": 65535,
    "CMYK": (0, 0, 0, 0),
    "YCbCr": (255, 128, 128),
    "LAB": (255, 128, 128),
}


def decoded_part(image: Image.Image) -> Image.Image | None:
    """Decode what can be decoded of an open image; None if this is nothing, or has one color only."""
    white = _lightest_color(image) if image.mode == "P" else _WHITE.get(image.mode)
    if white is None:
        return None
    image.im = Image.new(image.mode, image.size, white).im
    if not image.info.get("progressive"):
        # Otherwise Pillow adds an end marker to a JPEG, and the decoder fills the rest with grey.
        image._ended = True  # type: ignore[attr-defined]  # noqa: SLF001
    # A global of Pillow; a decoding process has one thread.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        # Some decoders fail at the damage, after they have decoded the pixels before it.
        with suppress(Exception):
            image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    image.tile = []  # type: ignore[attr-defined]
    return None if _has_one_color(image) else image


def _lightest_color(image: Image.Image) -> int | None:
    if image.palette is None:
        return None
    colors = Image.frombytes("P", (256, 1), bytes(range(256)))
    colors.palette = image.palette.copy()
    levels = colors.convert("L").tobytes()
    return levels.index(max(levels))


def _has_one_color(image: Image.Image) -> bool:
    extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in cast(tuple[tuple[float, float], ...], bands))
