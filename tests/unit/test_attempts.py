"""The number of readings of a page: counted at the instances of the real Tesseract."""

import time
from typing import Any

from PIL import Image

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.languages import find_tessdata
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
    Attempts(instances, "eng", time.monotonic() + 300).best(Page(1, image, 300), None)
    return instances.readings, instances.orientations


def test_upright_and_blank_pages_are_read_once() -> None:
    page = printed_page(ENGLISH[:2], size=(1800, 700)).image
    assert counted(page) == (1, 0)
    assert counted(Image.new("L", page.size, 255)) == (1, 0)
    assert counted(page.rotate(180)) == (2, 1)
