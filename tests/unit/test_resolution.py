"""The resolution of a picture: the one that its file names, or one that suits the letters."""

import pytest
from PIL import Image

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.resolution import credible_resolution
from tests.samples import ENGLISH, printed_page

PAGE = printed_page(ENGLISH[:2], size=(1800, 700)).image


def found(image: Image.Image, stated: int | None) -> int | None:
    return credible_resolution(Picture.of(Page(1, image, stated)))


@pytest.mark.parametrize("stated", [100, 200, 300, 400])
def test_resolution_of_the_file_is_taken(stated: int) -> None:
    assert found(PAGE, stated) == stated


@pytest.mark.parametrize("stated", [None, 300, 600, 1200])
def test_resolution_is_estimated_if_it_is_missing_or_far_too_high(stated: int | None) -> None:
    small = PAGE.resize((PAGE.width // 3, PAGE.height // 3), Image.Resampling.LANCZOS)
    estimate = found(small, stated)
    assert estimate is not None
    assert 70 <= estimate <= 140


def test_a_page_with_few_letters_tells_nothing() -> None:
    blank = Image.new("L", (500, 500), 255)
    assert (found(blank, 1200), found(blank, None)) == (1200, None)
