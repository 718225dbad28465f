"""PDFs with text of their own, through the whole service with Tesseract."""

from base64 import b64encode
from textwrap import wrap
from typing import Any

import httpx
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from tests.running import RunningService
from tests.samples import BOLD, RUSSIAN, pdf_of_images, small_png
from tests.streams import events_of
from tests.text_pdfs import lines, pdf_of, picture, small_scan, tiny_lines

# Tesseract reads some of these signs as others.
EXACT = "Write to lIl0O@example.com, IBAN DE02 1203 0000 0000 2020 51."
TEXT = [EXACT, *wrap(RUSSIAN[0], 80)]


def letter(canvas: Canvas) -> None:
    lines(canvas, TEXT)


def stamp() -> Image.Image:
    image = Image.new("L", (900, 200), 255)
    font = ImageFont.truetype(BOLD, 70)
    ImageDraw.Draw(image).text((40, 60), "ПОЛУЧЕНО 14 МАЯ", font=font, fill=0)
    return image


def pages_of(service: httpx.Client, pdf: bytes, **fields: str) -> list[dict[str, Any]]:
    answer = service.post("/ocr", files={"file": pdf}, data=fields)
    pages: list[dict[str, Any]] = answer.raise_for_status().json()["pages"]
    return pages


def test_text_is_taken_as_it_is(running: RunningService) -> None:
    pdf = pdf_of(letter)
    [page] = pages_of(running.client, pdf)
    assert (page["source"], page["confidence"], page["warnings"]) == ("text_layer", None, [])
    assert (page["width"], page["height"]) == (2479, 3508)
    assert page["text"] == "\n".join(TEXT)
    files, accept = {"file": pdf}, {"Accept": "application/x-ndjson"}
    streamed = events_of(running.client.post("/ocr", files=files, headers=accept).text)
    assert streamed[1]["page"] == page
    body = {"file": b64encode(pdf).decode(), "visualize": True}
    result = running.client.post("/layout-parsing", json=body).raise_for_status().json()["result"]
    [parsed] = result["layoutParsingResults"]
    assert parsed["prunedResult"]["source"] == "text_layer"
    assert parsed["markdown"]["text"] == page["markdown"]
    assert parsed["inputImage"]
    assert parsed["outputImages"]


def test_words_come_if_they_are_wanted(service: httpx.Client) -> None:
    pdf = pdf_of(letter)
    [page] = pages_of(service, pdf, words="true")
    words = [word["text"] for block in page["blocks"] for word in block["words"]]
    assert words == " ".join(TEXT).split()
    assert "words" not in pages_of(service, pdf)[0]["blocks"][0]


def test_option_is_a_part_of_the_cache_key(service: httpx.Client) -> None:
    pdf = pdf_of(letter)
    assert [pages_of(service, pdf, text_layer=use)[0]["source"] for use in ("auto", "never", "only")] == [
        "text_layer",
        "ocr",
        "text_layer",
    ]


def test_text_of_pictures_is_read_too(service: httpx.Client) -> None:
    def draw(canvas: Canvas) -> None:
        letter(canvas)
        picture(canvas, stamp(), (72, 400, 300, 67))
        lines(canvas, ["On the picture"], y=470)

    pdf = pdf_of(draw)
    [page] = pages_of(service, pdf)
    assert page["source"] == "text_layer"
    assert page["text"].startswith(EXACT)
    assert page["text"].count("On the picture") == 1
    assert page["text"].endswith("ПОЛУЧЕНО 14 МАЯ")
    last = page["blocks"][-1]
    assert "ПОЛУЧЕНО 14 МАЯ" in last["content"]
    assert last["order"] == len(page["blocks"])
    assert 300 < last["bbox"][0] < last["bbox"][2] < 1600
    assert 1500 < last["bbox"][1] < last["bbox"][3] < 1900
    [only] = pages_of(service, pdf, text_layer="only")
    assert [warning["code"] for warning in only["warnings"]] == ["pictures_not_read"]
    assert "ПОЛУЧЕНО" not in only["text"]


def test_pages_without_text_are_recognized(service: httpx.Client) -> None:
    scanned = pdf_of_images([stamp().resize((2400, 533))])
    [page] = pages_of(service, scanned)
    assert page["source"] == "ocr"
    assert "ПОЛУЧЕНО 14 МАЯ" in page["text"]
    for file in (scanned, small_png()):
        answer = service.post("/ocr", files={"file": file}, data={"text_layer": "only"})
        assert (answer.status_code, answer.json()["code"]) == (422, "no_text_layer")


def test_page_of_tiny_text_is_not_taken_for_blank(service: httpx.Client) -> None:
    pages = pages_of(service, pdf_of(small_scan, tiny_lines, lambda _: None), text_layer="never")
    found = [(page["text"], [warning["code"] for warning in page["warnings"]]) for page in pages]
    assert found == [("", ["no_text"]), ("", ["no_text"]), ("", [])]
