"""Smaller copies of pictures."""

import cv2
from cv2.typing import MatLike


def shrunk(pixels: MatLike, factor: int) -> MatLike:
    """Return the means of `factor` x `factor` pixels; a rest at the right edge and below is cut off.

    OpenCV takes several times as long if the ratio is not exactly a whole number.
    """
    height, width = (max(1, length // factor) for length in pixels.shape[:2])
    whole = pixels[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
