"""The layout of typeset pages, read by the real Tesseract through the whole service."""

import httpx
import pytest

from tests.samples import encoded
from tests.streams import events_of
from tests.typesetting import Sheet


def markdown(service: httpx.Client, sheet: Sheet) -> str:
    file = encoded(sheet.image, "PNG", dpi=(200, 200))
    return service.post("/ocr", files={"file": file}, data={"format": "markdown"}).raise_for_status().text


def test_ruled_table_is_a_table_of_markdown(service: httpx.Client) -> None:
    sheet = Sheet((1654, 700))
    rows = [
        ["Наименование", "Кол-во", "Сумма"],
        ["Бумага офисная", "120", "4500,00"],
        ["Картридж лазерный", "14", "39200,00"],
        ["Итого к оплате", "", "43700,00"],
    ]
    sheet.table(rows, 200, [640, 240, 240], numbers=[1, 2])
    assert markdown(service, sheet) == (
        "| Наименование | Кол-во | Сумма |\n"
        "|---|---|---|\n"
        "| Бумага офисная | 120 | 4500,00 |\n"
        "| Картридж лазерный | 14 | 39200,00 |\n"
        "| Итого к оплате |  | 43700,00 |"
    )


def test_rows_without_lines_stay_rows(service: httpx.Client) -> None:
    sheet = Sheet((1654, 700))
    rows = [("Бумага офисная", "375,50"), ("Картридж лазерный", "2800,00"), ("Степлер настольный", "640,00")]
    for number, (name, price) in enumerate(rows):
        sheet.row([(name, 150, "l"), (price, 1400, "r")], 200 + 58 * number)
    assert markdown(service, sheet).splitlines()[2:] == [
        "| Картридж лазерный | 2800,00 |",
        "| Степлер настольный | 640,00 |",
    ]


def test_words_of_blocks_on_request(service: httpx.Client) -> None:
    sheet = Sheet((1654, 500))
    sheet.write("Договор поставки оборудования", 150, 200)
    file = {"file": encoded(sheet.image, "PNG", dpi=(200, 200))}
    [plain] = service.post("/ocr", files=file).json()["pages"][0]["blocks"]
    assert "words" not in plain
    [block] = service.post("/ocr", files=file, data={"words": "true"}).json()["pages"][0]["blocks"]
    assert [word["text"] for word in block["words"]] == ["Договор", "поставки", "оборудования"]
    for word, drawn in zip(block["words"], sheet.lines[0].words, strict=True):
        assert word["bbox"] == pytest.approx(drawn.bbox, abs=6)
        assert 0.8 < word["confidence"] <= 1
    ndjson = {"Accept": "application/x-ndjson"}
    stream = events_of(service.post("/ocr", files=file, data={"words": "true"}, headers=ndjson).text)
    assert stream[1]["page"]["blocks"][0]["words"] == block["words"]
