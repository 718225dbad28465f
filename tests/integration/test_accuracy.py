"""Character error rate of Tesseract on printed pages, through the whole service."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from tests.samples import ENGLISH, RUSSIAN, encoded, noisy, printed_page, rotated

MOST_WRONG = 0.02

TITLES = {"rus": "Договор поставки", "eng": "Notes and rules"}
TEXTS = {"rus": RUSSIAN, "eng": ENGLISH}


def upright(image: Image.Image) -> Image.Image:
    return image


def slightly_rotated(image: Image.Image) -> Image.Image:
    return rotated(image, 1.5)


def character_error(read: str, printed: str) -> float:
    """Edit distance between the texts per printed character; runs of white space count as one space."""
    expected = " ".join(printed.split())
    return Levenshtein.distance(" ".join(read.split()), expected) / len(expected)


@pytest.mark.parametrize("language", ["rus", "eng"])
@pytest.mark.parametrize(
    ("damage", "columns"),
    [(upright, 1), (slightly_rotated, 1), (noisy, 1), (upright, 2)],
    ids=["clean", "rotated", "noisy", "two columns"],
)
def test_character_error(
    service: httpx.Client, language: str, damage: Callable[[Image.Image], Image.Image], columns: int
) -> None:
    printed = printed_page(TEXTS[language], columns, TITLES[language])
    page = read(service, damage(printed.image))
    assert character_error(page["text"], printed.text) <= MOST_WRONG
    # The blocks have the same text in the same order: columns are not mixed.
    contents = " ".join(block["content"] for block in page["blocks"])
    assert character_error(contents, printed.text) <= MOST_WRONG


def read(service: httpx.Client, image: Image.Image) -> dict[str, Any]:
    response = service.post("/ocr", files={"file": encoded(image, "PNG", dpi=(300, 300))})
    assert response.status_code == 200, response.text
    [page] = response.json()["pages"]
    assert isinstance(page, dict)
    return page
