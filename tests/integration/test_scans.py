"""Scans and photos as people make them: turned, crooked, dark, grainy. Through the whole service."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.corpus import degrading
from benchmarks.corpus.degrading import Pixels
from ocr_service.layout.words import enclosing
from tests.integration.test_accuracy import TEXTS, TITLES, character_error
from tests.samples import Printed, encoded, printed_page
from tests.typesetting import Sheet

MOST_WRONG = 0.02
SIZE = (1900, 1000)


def printed(language: str) -> Printed:
    return printed_page(TEXTS[language][:2], title=TITLES[language], size=SIZE)


def degraded(page: Image.Image, degrade: degrading.Degrade) -> bytes:
    def draw(dpi: int) -> Pixels:
        size = round(page.width * dpi / 300), round(page.height * dpi / 300)
        return np.asarray(page.resize(size, Image.Resampling.LANCZOS))

    return degrade(draw, np.random.default_rng(5))


def read(service: httpx.Client, file: bytes, **fields: str) -> dict[str, Any]:
    response = service.post("/ocr", files={"file": file}, data=fields)
    assert response.status_code == 200, response.text
    [page] = response.json()["pages"]
    assert isinstance(page, dict)
    return page


def codes(page: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in page["warnings"]]


@pytest.mark.parametrize(
    ("turned", "rotation", "language"), [(90, 270, "rus"), (180, 180, "eng"), (270, 90, "rus")]
)
def test_page_that_is_turned_is_read_upright(
    service: httpx.Client, turned: int, rotation: int, language: str
) -> None:
    original = printed(language)
    upright = read(service, encoded(original.image, "PNG", dpi=(300, 300)))
    assert (upright["rotation"], codes(upright)) == (0, [])
    turned_image = original.image.rotate(turned, expand=True)
    page = read(service, encoded(turned_image, "PNG", dpi=(300, 300)))
    assert character_error(page["text"], original.text) <= MOST_WRONG
    assert (page["rotation"], codes(page)) == (rotation, ["rotated"])
    assert (page["width"], page["height"]) == SIZE
    assert [block["bbox"] for block in page["blocks"]] == [block["bbox"] for block in upright["blocks"]]


def test_request_can_say_how_a_page_lies(service: httpx.Client) -> None:
    original = printed("eng")
    lying = encoded(original.image.rotate(90, expand=True), "PNG", dpi=(300, 300))
    right = read(service, lying, rotate="270")
    assert (right["rotation"], right["text"].split()[:3]) == (270, original.text.split()[:3])
    as_it_is = read(service, lying, rotate="0")
    assert (as_it_is["rotation"], codes(as_it_is)[-1]) == (0, "low_confidence")
    refused = service.post("/ocr", files={"file": lying}, data={"rotate": "45"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("degrade", "language", "correction"),
    [
        (partial(degrading.skewed, 4), "rus", "straightened"),
        (partial(degrading.skewed, 9), "eng", "straightened"),
        (degrading.photo, "rus", "cut to the sheet"),
        (degrading.photo, "eng", "cut to the sheet"),
        (degrading.shadowed, "rus", "lightened"),
        (degrading.coloured, "rus", "lightened"),
        (degrading.faded, "rus", None),
        (degrading.low_resolution, "rus", None),
    ],
    ids=["skewed", "very skewed", "photo", "English photo", "shadow", "colours", "faded", "100 dpi"],
)
def test_page_is_read_whole(
    service: httpx.Client, degrade: degrading.Degrade, language: str, correction: str | None
) -> None:
    original = printed(language)
    page = read(service, degraded(original.image, degrade))
    assert character_error(page["text"], original.text) <= MOST_WRONG
    assert (page["rotation"], codes(page)) == (0, ["corrected"] if correction else [])
    assert all(str(correction) in warning["detail"] for warning in page["warnings"])


def test_resolution_that_is_far_too_high_is_not_believed(service: httpx.Client) -> None:
    original = printed("rus")
    small = original.image.resize((SIZE[0] // 3, SIZE[1] // 3), Image.Resampling.LANCZOS)
    page = read(service, encoded(small, "PNG", dpi=(600, 600)))
    assert character_error(page["text"], original.text) <= MOST_WRONG


def grain(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(1).normal(0, 60, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def specks(pixels: Pixels) -> Pixels:
    random = np.random.default_rng(1)
    return np.where(random.random(pixels.shape) < 0.1, random.choice([0, 255], pixels.shape), pixels).astype(
        np.uint8
    )


@pytest.mark.parametrize("spoil", [grain, specks])
def test_grain_is_smoothed(service: httpx.Client, spoil: Callable[[Pixels], Pixels]) -> None:
    original = printed("rus")
    spoilt = Image.fromarray(spoil(np.asarray(original.image)))
    page = read(service, encoded(spoilt, "PNG", dpi=(300, 300)))
    assert character_error(page["text"], original.text) <= MOST_WRONG


def test_positions_of_a_straightened_page_are_those_on_the_page_as_sent(service: httpx.Client) -> None:
    sheet = Sheet((1600, 800))
    for y in (350, 430):
        sheet.write("Приложение к договору поставки", 150, y, size=60)
    sent = sheet.image.rotate(6, fillcolor=255)
    page = read(service, encoded(sent, "PNG", dpi=(200, 200)))
    ink = Image.fromarray(255 - np.asarray(sent)).getbbox()
    assert ink is not None
    assert np.allclose(enclosing(block["bbox"] for block in page["blocks"]), ink, atol=20)


def test_table_of_a_picture_without_a_resolution_has_all_its_cells(service: httpx.Client) -> None:
    sheet = Sheet()
    rows = [[f"Товар {row}", f"{row}2", f"{row}50,00"] for row in range(1, 8)]
    sheet.table(rows, 200, [600, 300, 300])
    table = sheet.image.crop((0, 0, 1654, 700))
    for options in ({}, {"dpi": (72, 72)}):
        page = read(service, encoded(table, "PNG", **options))
        assert all(cell in page["text"] for row in rows for cell in row)
