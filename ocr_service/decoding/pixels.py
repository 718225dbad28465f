"""Pixels of any format → upright pixels of 8-bit grey or RGB on a plain background."""

from contextlib import suppress
from typing import cast

from PIL import Image, ImageChops, ImageOps

from ocr_service.core.documents import ImageMode

_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
# Pixels of this opacity are seen on any background, and those of this grey are hardly seen on white.
_OPAQUE, _LIGHT = 128, 192


def to_plain(image: Image.Image, mode: ImageMode) -> Image.Image:
    """Return a decoded image upright, with 8 bits per channel, on a plain background, in `mode`."""
    plain = _on_ground(_in_eight_bits(_upright(image)))
    return plain if plain.mode == mode else plain.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    # If the EXIF data is damaged, the pixels are still good: the image is read without rotation.
    with suppress(Exception):
        # In place, because an image that is upright already would be copied otherwise.
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deeper pixels to 8 bits; the conversion of Pillow would clip them at 255."""
    if image.mode.startswith("I;16"):
        return _from_sixteen_bits(image)
    if image.mode in ("I", "F"):
        return _normalized(image)
    if image.mode == "LAB":
        return image.getchannel("L")
    return image


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    # A TIFF may hold 12 bits in 16, and may use 0 for white; Pillow does not convert either.
    tags = getattr(image, "tag_v2", {})
    white = 2 ** tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0] - 1
    deep = image.convert("I")
    grey = deep.point(lambda value: value * (255 / white)).convert("L")
    if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = ImageOps.invert(grey)
    # Pixels of this value are transparent; in eight bits, others would have it too.
    transparent = grey.info.pop("transparency", None)
    if isinstance(transparent, int):
        grey.paste(255, mask=_equal(deep, transparent))
    return grey


def _equal(image: Image.Image, value: int) -> Image.Image:
    """Return a mask of the pixels with this value."""
    # Expressions of `point` are limited to a scale and an offset; conversion clips at 0 and 255.
    above, below = (
        image.point(lambda pixel, scale=scale: pixel * scale - value * scale).convert("L")
        for scale in (255, -255)
    )
    return ImageOps.invert(ImageChops.lighter(above, below))


def _normalized(image: Image.Image) -> Image.Image:
    """Map the range of values in the image to 0..255, because 32-bit samples have no fixed white."""
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255 / (high - low) if high > low else 0
    offset = -low * scale if high > low else 255
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _on_ground(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = _with_transparency(image)
    alpha = layer.getchannel("A")
    ground = Image.new("RGB", layer.size, "black" if _is_light(layer, alpha) else "white")
    ground.paste(layer, mask=alpha)
    return ground


def _is_light(layer: Image.Image, alpha: Image.Image) -> bool:
    """Return whether the opaque pixels are some of the page, and all of them light."""
    seen = layer.convert("L").histogram(alpha.point(lambda value: 255 * (value >= _OPAQUE)))
    return 0 < sum(seen) < layer.width * layer.height and not any(seen[:_LIGHT])


def _with_transparency(image: Image.Image) -> Image.Image:
    # Pillow knows one way only from grey with premultiplied alpha.
    if image.mode == "La":
        image = image.convert("LA")
    transparent = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(transparent, tuple) and max(transparent) > 255:
        # A PNG with 16 bits per sample; its pixels have been scaled to 8.
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    return image if image.mode == "RGBA" else image.convert("RGBA")
