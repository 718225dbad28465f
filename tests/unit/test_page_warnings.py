from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr_service.engines.page_warnings import no_text
from tests.samples import SERIF, noisy

A5 = (1748, 2480)


def blank(grey: int = 255) -> Image.Image:
    return Image.new("L", A5, grey)


def with_punch_holes_and_shadow() -> Image.Image:
    page = blank(245)
    pen = ImageDraw.Draw(page)
    for top in (900, 1500):
        pen.ellipse((80, top, 140, top + 60), fill=20)
    pen.rectangle((0, 0, 30, A5[1]), fill=40)
    return page


def shaded() -> Image.Image:
    return Image.linear_gradient("L").resize(A5).point(lambda value: 170 + value // 3)


@pytest.mark.parametrize(
    "make",
    [
        blank,
        lambda: blank(0),
        lambda: noisy(blank()),
        with_punch_holes_and_shadow,
        shaded,
        lambda: Image.new("RGB", (3, 5)),
    ],
    ids=["white", "black", "noisy", "punched", "shaded", "tiny"],
)
def test_blank_page_is_not_doubtful(make: Callable[[], Image.Image]) -> None:
    assert no_text(make()) == ()


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (20, 230), (200, 90)])
def test_one_word_is_ink(paper: int, ink: int) -> None:
    page = blank(paper)
    ImageDraw.Draw(page).text((700, 1200), "Приложение", font=ImageFont.truetype(SERIF, 46), fill=ink)
    [warning] = no_text(page)
    assert warning.code == "no_text"
    [warning] = no_text(page.convert("RGB"))
