"""Blocks' pictures → the files in which they travel to the VLM and stand beside the Markdown."""

import importlib
from collections.abc import Callable
from typing import Any

from ocr_service.engines.paddleocr_vl.page_calls import Crop

# What the official server gives the pictures of its Markdown.
_MARKDOWN_QUALITY = 95
# To which it scales the pictures that show a page.
_LONGEST_DRAWN = 2000
# The fastest: the picture travels over loopback and is thrown away.
_PNG_COMPRESSION = 1


def crop_encoder(image_format: str, quality: int) -> Callable[[Any], Crop]:
    """Return what makes a file of pixels, height x width x 3, blue first.

    image_format: "jpeg" or "png". quality: of JPEG, 1 to 100. The JPEG's bytes are those that Pillow makes,
    but other threads run meanwhile.
    """
    cv2 = importlib.import_module("cv2")
    if image_format == "png":
        ending, parameters = ".png", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION]
    else:
        ending, parameters = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]

    def encode(pixels: Any) -> Crop:
        return Crop(cv2.imencode(ending, pixels, parameters)[1].tobytes(), f"image/{image_format}")

    return encode


def bgr_converter() -> Callable[[Any], Any]:
    """Return what makes pixels, height x width x 3, blue first, of a Pillow image in mode RGB."""
    numpy = importlib.import_module("numpy")

    def to_bgr(image: Any) -> Any:
        # Pillow puts the channels in order while it packs them, at no cost.
        packed = numpy.frombuffer(image.tobytes("raw", "BGR"), numpy.uint8)
        return packed.reshape(image.height, image.width, 3)

    return to_bgr


def drawing_encoder() -> Callable[[Any], Crop]:
    """Return what makes a JPEG file of pixels, or a Pillow image, scaled down as the official server does."""
    cv2 = importlib.import_module("cv2")
    encode, to_bgr = crop_encoder("jpeg", _MARKDOWN_QUALITY), bgr_converter()

    def fitting(pixels: Any) -> Any:
        height, width = pixels.shape[:2]
        factor = _LONGEST_DRAWN / max(width, height)
        if factor >= 1:
            return pixels
        return cv2.resize(pixels, (int(factor * width), int(factor * height)))

    def encode_drawing(image: Any) -> Crop:
        pixels = to_bgr(image.convert("RGB")) if hasattr(image, "convert") else image
        return encode(fitting(pixels))

    return encode_drawing


def picture_encoder() -> Callable[[Any], Crop]:
    """Return what makes a JPEG file of a Pillow image."""
    encode, to_bgr = crop_encoder("jpeg", _MARKDOWN_QUALITY), bgr_converter()
    return lambda image: encode(to_bgr(image.convert("RGB")))
