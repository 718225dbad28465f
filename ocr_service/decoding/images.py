"""Image files → upright pages of 8-bit grey or RGB pixels, within the pixel limit."""

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

# Pillow has a global limit of its own; the limit of this service is a setting, checked for every frame.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener(thumbnails=False)

# To count the pages of a TIFF, Pillow walks its directories; a malicious file can hold millions of them.
MAX_TIFF_PAGES = 2_000

# Cameras and browsers write 72 or 96 as a placeholder; scanners start above.
_CREDIBLE_RESOLUTION = range(100, 1201)

# Faxes have more pixels per inch in one direction, up to four times as many (204 x 98 and 204 x 391 dpi).
_MIN_STRETCH = 1.05
_MAX_STRETCH = 4.5

_QUARTER_TURNS = range(5, 9)
_TIFF_BITS_PER_SAMPLE = 258
_TIFF_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0

_DECODERS = ThreadPoolExecutor(thread_name_prefix="images")


class ImageFile:
    """An open image file: a page per TIFF page; one page for other images, the first frame if animated."""

    def __init__(self, data: bytes, format_name: str, mode: ImageMode, limits: Limits) -> None:
        self._mode = mode
        self._limits = limits
        self._one_at_a_time = asyncio.Lock()
        self._data = data
        # Pillow calls a JPEG with several pictures MPO, such as a photo with the depth map of a phone.
        self._formats = [format_name, "MPO"] if format_name == "JPEG" else [format_name]
        image = self._open()
        self.page_count = _count_frames(image) if format_name == "TIFF" else 1
        if self.page_count == 1:
            self._check_size(image)
        # A file of several pages stays open; others are opened again, so that no pixels are held.
        self._pages = image if self.page_count > 1 else None

    async def pixels(self, index: int) -> int:
        """Return the number of pixels of a page after decoding; raises BrokenDocument or TooManyPixels."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._measure, index)

    async def page(self, index: int) -> Page:
        """Decode page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        async with self._one_at_a_time:
            return await run_in_thread(_DECODERS, self._decode, index)

    async def close(self) -> None:
        """Do nothing: bytes and pixels are freed with the object, and pages may still use them."""

    def _open(self) -> Image.Image:
        with _pillow_errors_translated():
            return Image.open(io.BytesIO(self._data), formats=self._formats)

    def _measure(self, index: int) -> int:
        with _pillow_errors_translated():
            image = self._frame(index)
            x_dpi, y_dpi = _resolutions(image)
            # The orientation may be stored after the pixels, and changes the rounding: take the larger size.
            sizes = _square_size(image.size, x_dpi, y_dpi), _square_size(image.size, y_dpi, x_dpi)
            return max(width * height for width, height in sizes)

    def _decode(self, index: int) -> Page:
        with _pillow_errors_translated():
            image = self._frame(index)
            x_dpi, y_dpi = _resolutions(image)
            if _is_rotated_by_a_quarter(image):
                x_dpi, y_dpi = y_dpi, x_dpi
            plain = to_plain(image, self._mode)
            if plain is self._pages:
                # The next page would be decoded into the same object.
                plain = plain.copy()
            page = self._with_square_pixels(plain, x_dpi, y_dpi)
            return Page(index, page, _credible(max(x_dpi, y_dpi)))

    def _frame(self, index: int) -> Image.Image:
        """Return the image at page `index`, not decoded yet; raises TooManyPixels."""
        image = self._pages or self._open()
        if self._pages:
            image.seek(index - 1)
            self._check_size(image)
        return image

    def _with_square_pixels(self, image: Image.Image, x_dpi: float, y_dpi: float) -> Image.Image:
        """Resize an image whose resolutions differ, so that letters have their true proportions."""
        width, height = _square_size(image.size, x_dpi, y_dpi)
        if (width, height) == image.size:
            return image
        self._limits.check_size(width, height)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def _check_size(self, image: Image.Image) -> None:
        width, height = image.size
        self._limits.check_size(width, height)


def to_plain(image: Image.Image, mode: ImageMode) -> Image.Image:
    """Return the image upright, with 8 bits per channel, on a white background, in `mode`."""
    image.load()
    plain = _on_white(_in_eight_bits(_upright(image)))
    return plain if plain.mode == mode else plain.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    # If the EXIF data is damaged, the pixels are still good: the image is read without rotation.
    with suppress(Exception):
        # In place, because an image that is upright already would be copied otherwise.
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _is_rotated_by_a_quarter(image: Image.Image) -> bool:
    """Return whether the rows of the file are columns of the upright image: resolutions are swapped."""
    with suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
    return False


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
    grey = image.convert("I").point(lambda value: value * (255 / white)).convert("L")
    return ImageOps.invert(grey) if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


def _normalized(image: Image.Image) -> Image.Image:
    """Map the range of values in the image to 0..255, because 32-bit samples have no fixed white."""
    low, high = cast(tuple[float, float], image.getextrema())
    scale = 255 / (high - low) if high > low else 0
    offset = -low * scale if high > low else 255
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    background = Image.new("RGB", layer.size, "white")
    background.paste(layer, mask=layer.getchannel("A"))
    return background


def _square_size(size: tuple[int, int], x_dpi: float, y_dpi: float) -> tuple[int, int]:
    """Return the size of the image after a resize to the higher of its two resolutions."""
    highest, lowest = max(x_dpi, y_dpi), min(x_dpi, y_dpi)
    if lowest <= 0 or not _MIN_STRETCH < highest / lowest < _MAX_STRETCH:
        return size
    return round(size[0] * highest / x_dpi), round(size[1] * highest / y_dpi)


def _resolutions(image: Image.Image) -> tuple[float, float]:
    """Return the horizontal and vertical resolution from the file, or zeros."""
    try:
        x_dpi, y_dpi = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return 0, 0
    return (x_dpi, y_dpi) if math.isfinite(x_dpi * y_dpi) else (0, 0)


def _credible(resolution: float) -> int | None:
    return round(resolution) if round(resolution) in _CREDIBLE_RESOLUTION else None


def _count_frames(image: Image.Image) -> int:
    """Count the pages of a TIFF; a damaged directory ends the count."""
    count = 1
    try:
        while count <= MAX_TIFF_PAGES:
            image.seek(count)
            count += 1
    except Exception:
        # EOFError is the normal end; Pillow raises many other errors if a directory is damaged.
        return count
    raise TooManyPages(f"A TIFF of more than {MAX_TIFF_PAGES} pages is not accepted.")


@contextmanager
def _pillow_errors_translated() -> Iterator[None]:
    """Translate errors of Pillow to BrokenDocument: Pillow raises almost any exception for a damaged file."""
    try:
        yield
    except (OcrError, MemoryError):
        raise
    except Exception as error:
        raise BrokenDocument(
            "The image cannot be decoded: it is damaged, incomplete, or of an unusual kind."
        ) from error
