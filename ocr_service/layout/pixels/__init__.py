"""Layout of a page with the help of its pixels, by OpenCV: only a started engine imports this."""

from collections.abc import Sequence

from cv2.typing import MatLike

from ocr_service.layout.compose import PageLayout, compose
from ocr_service.layout.pixels.bold import with_bold
from ocr_service.layout.pixels.ruling_lines import find_rulings
from ocr_service.layout.words import Line

__all__ = ["compose_picture", "find_rulings", "with_bold"]


def compose_picture(lines: Sequence[Line], pixels: MatLike) -> PageLayout:
    """Join the lines of a page, in reading order, into blocks; pixels: the page, grey or RGB."""
    height, width = pixels.shape[:2]
    return compose(with_bold(lines, pixels), (width, height), find_rulings(pixels))
