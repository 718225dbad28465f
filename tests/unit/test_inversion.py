"""Dark areas with light letters become light areas with dark letters, and other pages stay as they are."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr_service.core.documents import Page
from ocr_service.engines.tesseract.inversion import with_dark_letters
from ocr_service.engines.tesseract.pictures import Grey, Picture
from tests.samples import ENGLISH, SERIF, printed_page, wrap

SIZE = (1240, 1754)
BAND = (0, 400, 1240, 700)


def banded(ground: int, ink: int) -> Image.Image:
    """Draw a page of text with a band of another colour, and text on it."""
    image = printed_page(ENGLISH[:1], size=SIZE).image
    draw = ImageDraw.Draw(image)
    draw.rectangle(BAND, fill=ground)
    font = ImageFont.truetype(SERIF, 30)
    for number, line in enumerate(wrap(ENGLISH[1], font, 1000)):
        draw.text((100, 430 + 50 * number), line, font=font, fill=ink)
    return image


def made(image: Image.Image) -> Grey:
    return with_dark_letters(Picture.of(Page(1, image, 150))).grey


def test_light_letters_on_a_dark_band_become_dark() -> None:
    image = banded(ground=40, ink=255)
    grey = made(image)
    before = np.asarray(image)

    assert (grey[BAND[1] + 10 : BAND[3] - 10] == 255 - before[BAND[1] + 10 : BAND[3] - 10]).all()
    assert (grey[: BAND[1] - 10] == before[: BAND[1] - 10]).all()


def test_dark_letters_that_touch_a_band_stay() -> None:
    image = banded(ground=40, ink=255)
    title = "A title that stands on a band of colour and over its edge"
    font = ImageFont.truetype(SERIF, 40)
    ImageDraw.Draw(image).text((100, BAND[1] + 3), title, font=font, fill=0, anchor="ls")
    grey = made(image)
    before = np.asarray(image)

    assert (grey[: BAND[1] - 4] == before[: BAND[1] - 4]).all()
    assert (grey[BAND[1] + 14 : BAND[3] - 10] == 255 - before[BAND[1] + 14 : BAND[3] - 10]).all()


def test_a_dark_band_with_dark_letters_stays() -> None:
    image = banded(ground=110, ink=0)
    assert (made(image) == np.asarray(image)).all()


def test_a_dark_picture_without_letters_stays() -> None:
    image = banded(ground=40, ink=40)
    assert (made(image) == np.asarray(image)).all()


def test_the_shadow_of_a_fold_stays() -> None:
    page = np.asarray(banded(ground=255, ink=0)) * np.linspace(0.2, 1, SIZE[0])
    image = Image.fromarray(page.astype(np.uint8))
    assert (made(image) == np.asarray(image)).all()
