"""Image files → upright pages of 8-bit grey or RGB pixels, within the pixel limit."""

import io
import math
import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pillow_heif
from PIL import ExifTags, Image
from PIL.GifImagePlugin import GifImageFile

from ocr_service.core.documents import ImageMode, PageWarning, WarningCode
from ocr_service.core.errors import BrokenDocument, OcrError, TooManyPages
from ocr_service.decoding import webp
from ocr_service.decoding.av1_sizes import av1_sizes
from ocr_service.decoding.canvas import put_image
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.metadata import check_parts, without_metadata
from ocr_service.decoding.partial_images import decoded_part
from ocr_service.decoding.pixels import to_plain
from ocr_service.decoding.requests import Contents, Drawn
from ocr_service.runtime.processes.sandbox import limit_memory

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

# Names of Pillow for the variants of a format. A JPEG with several pictures is an MPO, such as a photo with a
# depth map.
_VARIANTS = {"JPEG": ["JPEG", "MPO"], "WEBP": [webp.TRUNCATED, "WEBP"]}

_TRUNCATED = PageWarning(
    WarningCode.TRUNCATED_FILE, "The file is truncated or damaged: a part of the image could not be decoded."
)

_MIB = 2**20
# Memory of an image whose pixels are not decoded: metadata take up to 30 times their size in the file. Some
# decoders copy the file, and one of them copies it twice.
_TO_OPEN = 512 * _MIB
_TO_OPEN_A_BYTE = 3
# In addition, for each pixel of a page: some conversions have several copies at a time.
_TO_DECODE_A_PIXEL = 32


class ImageFile:
    """An open image file: a page per TIFF page; one page for other images, the first frame if animated.

    known: what an earlier opening found.
    """

    def __init__(
        self, data: bytes, format_name: str, mode: ImageMode, limits: Limits, known: Contents
    ) -> None:
        self._mode = mode
        self._limits = limits
        self._data = data
        self._format = format_name
        self._to_open = _TO_OPEN + _TO_OPEN_A_BYTE * len(data)
        limit_memory(self._to_open)
        if not known.page_count:
            check_parts(data, format_name)
        if format_name == "AVIF":
            self._check_av1()
        if format_name == "WEBP":
            self._check_webp()
        image = self._opened_in_any_way()
        self.contents = known
        if not known.page_count:
            self.contents = Contents(_count_frames(image) if format_name == "TIFF" else 1)
        # A file of several pages stays open. An image is opened again after it was decoded, so that no pixels
        # are held.
        self._pages = image if self.contents.page_count > 1 else None
        self._image = image if self._pages is None else None
        if self._image:
            self._check_size(self._image)

    def measure(self, index: int) -> int:
        """Return the number of pixels of page `index`, from 1; raises BrokenDocument or TooManyPixels."""
        limit_memory(self._to_open)
        with _pillow_errors_translated():
            image = self._frame(index)
            x_dpi, y_dpi = _resolutions(image)
            # The orientation may be stored after the pixels, and changes the rounding: take the larger size.
            sizes = _square_size(image.size, x_dpi, y_dpi), _square_size(image.size, y_dpi, x_dpi)
            return max(width * height for width, height in sizes)

    def draw(self, index: int, memory: mmap.mmap) -> Drawn:
        """Decode page `index`, from 1, into the memory; raises BrokenDocument or TooManyPixels."""
        limit_memory(self._to_open + _TO_DECODE_A_PIXEL * self._limits.max_page_pixels)
        with _pillow_errors_translated():
            image, resolution, is_whole = self._decode(index)
            put_image(memory, image)
            return Drawn(*image.size, resolution, () if is_whole else (_TRUNCATED,))

    def decoded(self, index: int) -> tuple[Image.Image, int | None]:
        """Return page `index`, from 1, and its pixels per inch if known; raises as `draw`."""
        limit_memory(self._to_open + _TO_DECODE_A_PIXEL * self._limits.max_page_pixels)
        with _pillow_errors_translated():
            image, resolution, _ = self._decode(index)
            return image, resolution

    def text_layer(self, index: int) -> None:
        """Return None: an image holds no text."""

    def close(self) -> None:
        """Do nothing: bytes and pixels are freed with the object."""

    def _open(self) -> Image.Image:
        with _pillow_errors_translated():
            formats = _VARIANTS.get(self._format, [self._format])
            return Image.open(io.BytesIO(self._data), formats=formats)

    def _opened_in_any_way(self) -> Image.Image:
        try:
            return self._open()
        except BrokenDocument:
            if not self._drop_metadata():
                raise
            return self._open()

    def _drop_metadata(self) -> bool:
        """Remove the metadata from the file; return whether it had any."""
        data, self._data = self._data, without_metadata(self._data, self._format)
        return self._data != data

    def _decode(self, index: int) -> tuple[Image.Image, int | None, bool]:
        """Return the page, its pixels per inch if known, and whether it is whole."""
        image = self._frame(index)
        self._image = None
        x_dpi, y_dpi = _resolutions(image)
        # Pillow rotates a TIFF when it decodes it. A PNG can have its orientation behind the pixels.
        is_rotated = self._format == "TIFF" and _is_rotated_by_a_quarter(image)
        frame = _frame_of_gif(image)
        image, is_whole = self._with_pixels(image, index)
        if is_rotated or _is_rotated_by_a_quarter(image):
            x_dpi, y_dpi = y_dpi, x_dpi
        plain = to_plain(image, self._mode)
        if frame:
            plain = _white_outside(plain, frame)
        return self._with_square_pixels(plain, x_dpi, y_dpi), _credible(max(x_dpi, y_dpi)), is_whole

    def _with_pixels(self, image: Image.Image, index: int) -> tuple[Image.Image, bool]:
        """Decode the image at page `index`; return it, or a part of it, and whether it is whole."""
        try:
            image.load()
            return image, True
        except MemoryError:
            raise
        except Exception:
            # A PNG can have metadata behind its pixels.
            if self._format == "PNG" and self._drop_metadata():
                return self._with_pixels(self._open_at(index), index)
            part = decoded_part(self._open_at(index))
            if part is None:
                raise
            return part, False

    def _open_at(self, index: int) -> Image.Image:
        image = self._open()
        if index > 1:
            image.seek(index - 1)
        return image

    def _frame(self, index: int) -> Image.Image:
        """Return the image at page `index`, not decoded yet; raises TooManyPixels."""
        if self._pages is None:
            return self._image or self._open()
        self._pages.seek(index - 1)
        self._check_size(self._pages)
        return self._pages

    def _with_square_pixels(self, image: Image.Image, x_dpi: float, y_dpi: float) -> Image.Image:
        """Resize an image whose resolutions differ, so that letters have their true proportions."""
        width, height = _square_size(image.size, x_dpi, y_dpi)
        if (width, height) == image.size:
            return image
        self._limits.check_size(width, height)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def _check_av1(self) -> None:
        """Check the sizes that the decoder uses, and let it decode the first picture of an animation only."""
        with _pillow_errors_translated():
            for size in av1_sizes(self._data):
                self._limits.check_size(*size)
        # For the brand of animations, libavif decodes the track of the animation and not the first picture.
        self._data = self._data[:8] + b"avif" + self._data[12:]

    def _check_webp(self) -> None:
        """Check the size before Pillow allocates memory for it, and allow that memory."""
        if size := webp.size_of(self._data):
            self._limits.check_size(*size)
            self._to_open += webp.OPENING_BYTES_PER_PIXEL * math.prod(size)
            limit_memory(self._to_open)

    def _check_size(self, image: Image.Image) -> None:
        width, height = image.size
        self._limits.check_size(width, height)


def _is_rotated_by_a_quarter(image: Image.Image) -> bool:
    """Return whether the rows of the file are columns of the upright image: resolutions are swapped."""
    with suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
    return False


def _frame_of_gif(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the part of a GIF that its first frame covers; None for other formats."""
    return image.tile[0].extents if isinstance(image, GifImageFile) and image.tile else None


def _white_outside(image: Image.Image, frame: tuple[int, int, int, int]) -> Image.Image:
    """Make pixels white that are not in the first frame of a GIF; the file gives them no color."""
    if frame == (0, 0, *image.size):
        return image
    page = Image.new(image.mode, image.size, "white")
    page.paste(image.crop(frame), frame)
    return page


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
