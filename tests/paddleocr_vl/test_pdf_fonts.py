"""A PDF whose font is not embedded: the picture that reaches the model shows its letters.

The stand-in writes a text that depends on each pixel of the picture.
"""

import asyncio
import json
from base64 import b64encode

from PIL import Image

from ocr_service.decoding import Limits, open_document
from tests.paddleocr_vl.peer import Both
from tests.pdf_fonts import INVOICE, by_differences, pdf_of_lines
from tests.samples import encoded
from tests.unit.test_pdf_fonts import difference, drawn_by_poppler

PDF = pdf_of_lines(["ArialMT", "TimesNewRomanPSMT"], INVOICE, by_differences)
LIMITS = Limits(10_000_000, max_page_side=32_767)


async def drawn() -> Image.Image:
    async with open_document(PDF, dpi=144, mode="RGB", limits=LIMITS) as document:
        return (await document.page(1)).image


def test_letters_of_a_font_that_is_not_embedded_reach_the_model(both: Both) -> None:
    page = asyncio.run(drawn())
    poppler = drawn_by_poppler(PDF, 144)
    assert difference(page.convert("L"), poppler) < 6 < difference(Image.new("L", page.size, 255), poppler)

    def read(file: bytes, wanted: str) -> str:
        fields = {"use_layout_detection": "false"}
        answer = both.ours.post("/ocr", files={"file": file}, data=fields, headers={"Accept": wanted})
        return answer.raise_for_status().text

    text = read(encoded(page, "PNG"), "text/markdown")
    assert read(PDF, "text/markdown") == text
    assert json.loads(read(PDF, "application/json"))["markdown"] == text
    lines = [json.loads(line) for line in read(PDF, "application/x-ndjson").splitlines()]
    assert [line["page"]["markdown"] for line in lines if line["event"] == "page"] == [text]
    body = {"file": b64encode(PDF).decode(), "fileType": 0, "useLayoutDetection": False}
    [result] = (
        both.ours.post("/layout-parsing", json=body)
        .raise_for_status()
        .json()["result"]["layoutParsingResults"]
    )
    assert result["markdown"]["text"] == text
