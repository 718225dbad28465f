"""The pixels of a page in memory that a decoding process and the service share.

The rows follow each other without gaps. A grey pixel has one byte. A color has four, red, green, blue and one
that is not used, because Pillow has the same in memory.
"""

import mmap
from typing import cast

from PIL import Image

from ocr_service.core.documents import ImageMode
from ocr_service.decoding.arrow import PixelArray

BYTES_PER_PIXEL: dict[str, int] = {"L": 1, "RGB": 4}
# Pillow can lay images of these modes over memory; other modes only as an array of Arrow.
_SHARED_MODES = {"L": "L", "RGB": "RGBX"}
# One of so many columns, and of so many rows, is looked at first.
_SAMPLED = 8


def image_in(memory: memoryview, size: tuple[int, int], mode: ImageMode) -> Image.Image:
    """Return an image of this memory, in the service; raises ValueError if the memory is too small."""
    if mode == "L":
        return _laid_over(memory, size, mode)
    _check(memory, size, mode)
    return Image.fromarrow(PixelArray(memory, size[0] * size[1]), mode, size)


def put_image(memory: mmap.mmap, image: Image.Image) -> None:
    """Copy an image to the memory, in a decoding process; raises ValueError if the memory is too small."""
    # Not `Image.paste`, which would first copy an image that is laid over memory.
    _laid_over(memory, image.size, cast(ImageMode, image.mode)).im.paste(image.im, (0, 0, *image.size))


def has_contrast(memory: mmap.mmap, size: tuple[int, int], mode: ImageMode, least: int) -> bool:
    """Return whether the values of one color differ by more than `least`, in a decoding process."""
    image = _laid_over(memory, size, mode)
    # Most pages show it in a few of their pixels, which is faster.
    width, height = (-(-side // _SAMPLED) for side in size)
    return any(
        highest - lowest > least
        for part in (image.resize((width, height), Image.Resampling.NEAREST), image)
        for lowest, highest in map(_extremes, part.split()[: len(mode)])
    )


def _extremes(channel: Image.Image) -> tuple[int, int]:
    return cast(tuple[int, int], channel.getextrema())


def _laid_over(memory: memoryview | mmap.mmap, size: tuple[int, int], mode: ImageMode) -> Image.Image:
    _check(memory, size, mode)
    shared_mode = _SHARED_MODES[mode]
    # Pillow takes any buffer, but declares fewer.
    return Image.frombuffer(shared_mode, size, cast(bytearray, memory), "raw", shared_mode, 0, 1)


def _check(memory: memoryview | mmap.mmap, size: tuple[int, int], mode: ImageMode) -> None:
    if min(size) < 1 or size[0] * size[1] * BYTES_PER_PIXEL[mode] > len(memory):
        raise ValueError("the page is larger than its memory")
