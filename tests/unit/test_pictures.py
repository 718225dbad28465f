"""Smaller copies of pictures, and the levels of grey in a line of text."""

import numpy as np
import pytest
from PIL import Image

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.pictures import Correction, Picture
from ocr_service.layout.pixels.bold import darkest_and_median

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("longest_side", [100, 200, 300, 500, 999, 1200])
def test_glance_is_the_reduced_copy_up_to_one_level(longest_side: int) -> None:
    noise = RANDOM.integers(0, 256, (1199, 701), np.uint8)
    picture = Picture.of(Page(1, Image.fromarray(noise), 300))
    reduced, _ = picture.reduced(longest_side)
    glance = picture.glance(longest_side)
    assert glance.shape == reduced.shape and max(glance.shape) <= longest_side
    assert np.abs(glance.astype(int) - reduced).max() <= 1


def test_copies_are_those_of_the_pixels_at_hand() -> None:
    white = Picture.of(Page(1, Image.new("L", (400, 400), 255), 300))
    assert white.glance(100).min() == 255
    assert white.turned(90).glance(100).min() == 255
    dark = white.with_grey(np.zeros((400, 400), np.uint8), Correction.SMOOTHED)
    assert dark.glance(100).max() == dark.reduced(200)[0].max() == 0


@pytest.mark.parametrize("levels", [2, 40, 256])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 5), (4, 7), (40, 300)])
def test_levels_of_grey_are_those_of_the_sorted_pixels(shape: tuple[int, int], levels: int) -> None:
    pixels = RANDOM.integers(0, levels, shape, np.uint8)
    assert darkest_and_median(pixels) == (pixels.min(), int(np.median(pixels)))
