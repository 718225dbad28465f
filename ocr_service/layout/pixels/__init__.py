"""Layout of a page with the help of its pixels, by OpenCV: only a started engine imports this."""

from collections.abc import Sequence

from PIL import Image

from ocr_service.layout.compose import PageLayout, compose
from ocr_service.layout.pixels.bold import with_bold
from ocr_service.layout.pixels.ruling_lines import find_rulings
from ocr_service.layout.words import Line

__all__ = ["compose_picture", "find_rulings", "with_bold"]


def compose_picture(lines: Sequence[Line], image: Image.Image) -> PageLayout:
    """Join the lines of a page, in reading order, into blocks; image: the page, mode L or RGB."""
    return compose(with_bold(lines, image), image.size, find_rulings(image))
