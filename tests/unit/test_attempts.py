"""The number of readings of a page: counted at the instances of the real Tesseract."""

import time
from typing import Any

from PIL import Image

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.languages import find_tessdata
from ocr_service.engines.tesseract.pictures import Picture
from tests.samples import ENGLISH, printed_page


class CountedInstances(Instances):
    """Instances that count how often one is taken."""

    def __init__(self) -> None:
        super().__init__(find_tessdata())
        self.readings = 0
        self.orientations = 0

    def reader(self, lang: str) -> Any:
        self.readings += 1
        return super().reader(lang)

    def orientation(self) -> Any:
        self.orientations += 1
        return super().orientation()


def counted(image: Image.Image) -> tuple[int, int]:
    instances = CountedInstances()
    Attempts(instances, "eng", time.monotonic() + 300).best(Picture.of(Page(1, image, 300)), None)
    return instances.readings, instances.orientations


def test_upright_and_blank_pages_are_read_once() -> None:
    page = printed_page(ENGLISH[:2], size=(1800, 700)).image
    assert counted(page) == (1, 0)
    assert counted(Image.new("L", page.size, 255)) == (1, 0)
    assert counted(page.rotate(180)) == (2, 1)


def test_pixels_of_a_rotated_picture_are_bounded() -> None:
    """At 20 degrees, a strip would have 35 times the pixels of the page, and a sheet has 1.7 times."""
    sheet, strip = (Picture.of(Page(1, Image.new("L", size), 300)) for size in ((700, 1000), (32_000, 300)))
    assert strip.rotated(20) is None
    straightened = sheet.rotated(20)
    assert straightened and straightened.size == (1000, 1179)
