"""Image files → upright pages of plain grey or RGB pixels, within the pixel limit."""

import asyncio
import io
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import cast

import pillow_heif
from PIL import ExifTags, Image, ImageOps

from ocr_service.core.documents import ImageMode, Page
from ocr_service.core.errors import BrokenDocument, OcrError, TooManyPages
from ocr_service.decoding.limits import Limits
from ocr_service.runtime.threads import run_in_thread

# Pillow warns or raises by a global limit of its own; ours is a setting and is checked for every frame.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener(thumbnails=False)

# Counting a TIFF's pages walks its directories; a hostile file can hold millions of them.
MAX_TIFF_PAGES = 2_000

# Cameras and browsers write 72 or 96 without meaning it; scanners start above.
_CREDIBLE_RESOLUTION = range(100, 1201)

# Faxes are wider than high in pixels an inch, at most four to one (204 x 98 and 204 x 391 dpi).
_MOST_STRETCH = 4.5
_LEAST_STRETCH = 1.05

_QUARTER_TURNS = range(5, 9)
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0

_DECODERS = ThreadPoolExecutor(thread_name_prefix="images")


class ImageFile:
    """An image file, opened: a page for a still image, the first of an animation, all of a TIFF."""

    def __init__(self, data: bytes, format_name: str, mode: ImageMode, limits: Limits) -> None:
        self._mode = mode
        self._limits = limits
        self._one_at_a_time = asyncio.Lock()
        self._data = data
        # A JPEG of several pictures (a phone's depth map beside the photo) calls itself MPO.
        self._formats = [format_name, "MPO"] if format_name == "JPEG" else [format_name]
        image = self._open()
        self.page_count = _count_frames(image) if format_name == "TIFF" else 1
        if self.page_count == 1:
            self._refuse_too_large(image)
        # Kept open where it has more pages to find; a still image would only keep its pixels.
        self._pages = image if self.page_count > 1 else None

    async def pixels(self, index: int) -> int:
        """Return how many pixels page `index` has once decoded; raises BrokenDocument or TooManyPixels."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._measure, index)

    async def page(self, index: int) -> Page:
        """Decode page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        async with self._one_at_a_time:
            return await run_in_thread(_DECODERS, self._decode, index)

    async def close(self) -> None:
        """Do nothing: bytes and pixels go with the object, and the pages may still need them."""

    def _open(self) -> Image.Image:
        with _damage_translated():
            return Image.open(io.BytesIO(self._data), formats=self._formats)

    def _measure(self, index: int) -> int:
        with _damage_translated():
            image = self._at(index)
            across, down = _resolutions(image)
            # Whether it lies on its side may stand behind its pixels, and makes a difference in rounding.
            sizes = _square_size(image.size, across, down), _square_size(image.size, down, across)
            return max(width * height for width, height in sizes)

    def _decode(self, index: int) -> Page:
        with _damage_translated():
            image = self._at(index)
            across, down = _resolutions(image)
            if _lies_on_its_side(image):
                across, down = down, across
            plain = to_plain(image, self._mode)
            if plain is self._pages:
                # The next page would be decoded into this one.
                plain = plain.copy()
            return Page(index, self._square(plain, across, down), _credible(max(across, down)))

    def _at(self, index: int) -> Image.Image:
        """Return the file at a page that is not decoded yet, and is not too large."""
        image = self._pages or self._open()
        if self._pages:
            image.seek(index - 1)
            self._refuse_too_large(image)
        return image

    def _square(self, image: Image.Image, across: float, down: float) -> Image.Image:
        """Make the pixels as wide as high, as letters must be, where the file says that they are not."""
        width, height = _square_size(image.size, across, down)
        if (width, height) == image.size:
            return image
        self._limits.refuse_too_many_pixels(width, height)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def _refuse_too_large(self, image: Image.Image) -> None:
        width, height = image.size
        self._limits.refuse_too_many_pixels(width, height)


def to_plain(image: Image.Image, mode: ImageMode) -> Image.Image:
    """Return the image upright, in 8 bits a channel, transparent parts white, in `mode`."""
    image.load()
    plain = _on_white(_in_eight_bits(_upright(image)))
    return plain if plain.mode == mode else plain.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    # Damaged EXIF says nothing about the pixels, which have loaded: then they are read as they lie.
    with suppress(Exception):
        # In place: otherwise a picture that is upright already would be copied.
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _lies_on_its_side(image: Image.Image) -> bool:
    """Whether what the file says of across and down is of a picture that turns upright by a quarter."""
    with suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
    return False


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Scale deeper pixels down; Pillow's own conversion would clip them at 255 instead."""
    if image.mode.startswith("I;16"):
        return _from_sixteen_bits(image)
    if image.mode in ("I", "F"):
        return _stretched(image)
    if image.mode == "LAB":
        return image.getchannel("L")
    return image


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    # TIFF may hold 12 bits in 16, and count from white; Pillow leaves both to its callers.
    tags = getattr(image, "tag_v2", {})
    white = 2 ** tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0] - 1
    grey = image.convert("I").point(lambda value: value * (255 / white)).convert("L")
    return ImageOps.invert(grey) if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


def _stretched(image: Image.Image) -> Image.Image:
    """Map the range of values that occurs to 0..255, as 32-bit samples have no agreed white."""
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255 / (high - low) if high > low else 0
    offset = -low * scale if high > low else 255
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper


def _square_size(size: tuple[int, int], across: float, down: float) -> tuple[int, int]:
    """Return an image's size once its pixels are as wide as high, by its pixels per inch."""
    finest, coarsest = max(across, down), min(across, down)
    if coarsest <= 0 or not _LEAST_STRETCH < finest / coarsest < _MOST_STRETCH:
        return size
    return round(size[0] * finest / across), round(size[1] * finest / down)


def _resolutions(image: Image.Image) -> tuple[float, float]:
    """Return the pixels per inch across and down that the file states, or zeros."""
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return 0, 0
    return (across, down) if math.isfinite(across * down) else (0, 0)


def _credible(resolution: float) -> int | None:
    return round(resolution) if round(resolution) in _CREDIBLE_RESOLUTION else None


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
        raise BrokenDocument(
            "The image cannot be decoded: it is damaged, incomplete, or of an unusual kind."
        ) from error
