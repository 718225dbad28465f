"""Image files → upright pages of plain grey or RGB pixels, within the pixel limit."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pillow_heif
from PIL import Image, ImageOps

from ocr_service.decoding.limits import Limits
from ocr_service.documents import ImageMode, Page
from ocr_service.errors import BrokenDocument, OcrError, TooManyPages

# Pillow warns or raises by a global limit of its own; ours is a setting and is checked for every frame.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener(thumbnails=False)

# Counting a TIFF's pages walks its directories; a hostile file can hold millions of them.
MAX_TIFF_PAGES = 10_000

# Cameras and browsers write 72 or 96 without meaning it; scanners start above.
_CREDIBLE_RESOLUTION = range(100, 2401)


class ImageFile:
    """An image file, opened: a page for a still image, the first of an animation, all of a TIFF."""

    def __init__(self, data: bytes, format_name: str, mode: ImageMode, limits: Limits) -> None:
        self._mode = mode
        self._limits = limits
        self._one_at_a_time = asyncio.Lock()
        # A JPEG of several pictures (a phone's depth map beside the photo) calls itself MPO.
        formats = [format_name, "MPO"] if format_name == "JPEG" else [format_name]
        with _damage_translated():
            self._image = Image.open(io.BytesIO(data), formats=formats)
        self.page_count = _count_frames(self._image) if format_name == "TIFF" else 1
        if self.page_count == 1:
            self._refuse_too_large()

    async def page(self, index: int) -> Page:
        """Decode page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._decode, index)

    async def close(self) -> None:
        """Let go of the file's bytes."""
        async with self._one_at_a_time:
            self._image.close()

    def _decode(self, index: int) -> Page:
        with _damage_translated():
            if self.page_count > 1:
                self._image.seek(index - 1)
                self._refuse_too_large()
            return Page(index, to_plain(self._image, self._mode), _resolution(self._image))

    def _refuse_too_large(self) -> None:
        width, height = self._image.size
        self._limits.refuse_too_many_pixels(width, height)


def to_plain(image: Image.Image, mode: ImageMode) -> Image.Image:
    """Return the image upright, in 8 bits a channel, transparent parts white, in `mode`."""
    image.load()
    plain = _on_white(_in_eight_bits(_upright(image)))
    return plain if plain.mode == mode else plain.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Damaged EXIF says nothing about the pixels, which have loaded: read them as they lie.
        return image


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deeper pixels down; Pillow's own conversion would clip them at 255 instead."""
    if image.mode.startswith("I;16"):
        deep = image.convert("I")
        return deep.point(lambda value: value * (255 / 65535)).convert("L")
    if image.mode in ("I", "F"):
        return _stretched(image)
    if image.mode == "LAB":
        return image.getchannel("L")
    return image


def _stretched(image: Image.Image) -> Image.Image:
    """Map the range of values that occurs to 0..255, as 32-bit samples have no agreed white."""
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255 / (high - low) if high > low else 0
    offset = -low * scale if high > low else 255
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper


def _resolution(image: Image.Image) -> int | None:
    try:
        resolution = round(float(image.info["dpi"][0]))
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return resolution if resolution in _CREDIBLE_RESOLUTION else None


def _count_frames(image: Image.Image) -> int:
    """Count a TIFF's pages, as far as they can be reached: a damaged directory ends the count."""
    count = 1
    try:
        while count <= MAX_TIFF_PAGES:
            image.seek(count)
            count += 1
    except Exception:
        # EOFError is the ordinary end; Pillow raises many others where a directory is damaged.
        return count
    raise TooManyPages(f"A TIFF of more than {MAX_TIFF_PAGES} pages is not accepted.")


@contextmanager
def _damage_translated() -> Iterator[None]:
    """Around calls into Pillow, which raises almost anything for a damaged file: it all means one thing."""
    try:
        yield
    except (OcrError, MemoryError):
        raise
    except Exception as error:
        raise BrokenDocument("The image is damaged or incomplete: it cannot be decoded.") from error
