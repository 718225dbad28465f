"""Images of blocks → files for the VLM, and for the Markdown."""

import importlib
from collections.abc import Callable
from typing import Any

from ocr_service.engines.paddleocr_vl.page_calls import Crop

# JPEG quality of Markdown images in the official server.
_MARKDOWN_QUALITY = 95
# Maximum side of page drawings in the official server.
_MAX_DRAWING_SIDE = 2000
# The fastest: the image goes over loopback, and is not stored.
_PNG_COMPRESSION = 1


def crop_encoder(image_format: str, quality: int) -> Callable[[Any], Crop]:
    """Return a function that encodes pixels (height x width x 3, BGR) to a file.

    image_format: "jpeg" or "png". quality: JPEG quality, 1 to 100. The JPEG has the same bytes as one from
    Pillow, but OpenCV releases the interpreter lock.
    """
    cv2 = importlib.import_module("cv2")
    if image_format == "png":
        suffix, parameters = ".png", [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION]
    else:
        suffix, parameters = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]

    def encode(pixels: Any) -> Crop:
        return Crop(cv2.imencode(suffix, pixels, parameters)[1].tobytes(), f"image/{image_format}")

    return encode


def bgr_converter() -> Callable[[Any], Any]:
    """Return a function that converts a Pillow image in mode RGB to pixels (height x width x 3, BGR)."""
    numpy = importlib.import_module("numpy")

    def to_bgr(image: Any) -> Any:
        # Pillow reorders the channels while it packs them, at no extra cost.
        packed = numpy.frombuffer(image.tobytes("raw", "BGR"), numpy.uint8)
        return packed.reshape(image.height, image.width, 3)

    return to_bgr


def drawing_encoder() -> Callable[[Any], Crop]:
    """Return a function that encodes pixels or a Pillow image to JPEG, scaled as in the official server."""
    cv2 = importlib.import_module("cv2")
    encode, to_bgr = crop_encoder("jpeg", _MARKDOWN_QUALITY), bgr_converter()

    def scaled_down(pixels: Any) -> Any:
        height, width = pixels.shape[:2]
        factor = _MAX_DRAWING_SIDE / max(width, height)
        if factor >= 1:
            return pixels
        return cv2.resize(pixels, (int(factor * width), int(factor * height)))

    def encode_drawing(image: Any) -> Crop:
        pixels = to_bgr(image.convert("RGB")) if hasattr(image, "convert") else image
        return encode(scaled_down(pixels))

    return encode_drawing


def picture_encoder() -> Callable[[Any], Crop]:
    """Return a function that encodes a Pillow image to JPEG."""
    encode, to_bgr = crop_encoder("jpeg", _MARKDOWN_QUALITY), bgr_converter()
    return lambda image: encode(to_bgr(image.convert("RGB")))
