"""WebP files: their size, and files that end early as a format of Pillow, whose own decoder refuses them.

libwebp decodes these row by row. It is called in the extension of Pillow, which is linked to it.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, _webp

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

TRUNCATED = "TRUNCATED_WEBP"
"""Name of the format."""

OPENING_BYTES_PER_PIXEL = 8
"""Memory that Pillow needs to open a file: its decoder has two canvases, even if there is one picture."""

_RIFF_HEADER = 8
_MODE_RGBA = 1

_libwebp = ctypes.CDLL(_webp.__file__)
_libwebp.WebPINewRGB.restype = ctypes.c_void_p
_libwebp.WebPINewRGB.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_libwebp.WebPIDecGetRGB.restype = ctypes.c_void_p
_libwebp.WebPIDecGetRGB.argtypes = (ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_int)] * 4)
_libwebp.WebPIAppend.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
_libwebp.WebPIDelete.argtypes = (ctypes.c_void_p,)
_libwebp.WebPGetInfo.argtypes = (ctypes.c_char_p, ctypes.c_size_t, *[ctypes.POINTER(ctypes.c_int)] * 2)


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height as the header of a file gives them; None if it has no header."""
    width, height = ctypes.c_int(), ctypes.c_int()
    has_header = _libwebp.WebPGetInfo(data, len(data), width, height)
    return (width.value, height.value) if has_header else None


class TruncatedWebpFile(ImageFile.ImageFile):
    """An open file; it refuses files that are complete."""

    format = TRUNCATED
    format_description = "WebP that ends early"

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        if len(self._data) >= int.from_bytes(self._data[4:8], "little") + _RIFF_HEADER:
            raise SyntaxError("the file is complete")
        if not (size := size_of(self._data)):
            raise SyntaxError("the file has no header")
        self._size = size
        self._mode = "RGBA"

    def load(self) -> PixelAccess | None:
        """Decode the rows that are there, onto the pixels of the image, if Pillow is to accept such files."""
        if not ImageFile.LOAD_TRUNCATED_IMAGES:
            if self._im is None:
                raise OSError("image file is truncated")
        elif rows := _decoded_rows(self._data, self.size[0]):
            self.im.paste(rows.im, (0, 0, *rows.size))
        return Image.Image.load(self)


def _decoded_rows(data: bytes, width: int) -> Image.Image | None:
    decoder = _libwebp.WebPINewRGB(_MODE_RGBA, None, 0, 0)
    if not decoder:
        return None
    try:
        _libwebp.WebPIAppend(decoder, data, len(data))
        count, stride = ctypes.c_int(), ctypes.c_int()
        pixels = _libwebp.WebPIDecGetRGB(decoder, count, None, None, stride)
        if not pixels or not count.value:
            return None
        rows = ctypes.string_at(pixels, stride.value * count.value)
        return Image.frombytes("RGBA", (width, count.value), rows, "raw", "RGBA", stride.value)
    finally:
        _libwebp.WebPIDelete(decoder)


def _is_webp(prefix: bytes) -> bool:
    return prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP"


Image.register_open(TRUNCATED, TruncatedWebpFile, _is_webp)
