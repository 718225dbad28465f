"""PaddleX's serving API with the Tesseract engine."""

import io
from base64 import b64decode, b64encode
from typing import Any

import pytest
from PIL import Image

from tests.running import ROOT, RunningService

SCAN = b64encode((ROOT / "examples/scan.jpg").read_bytes()).decode()
CONTRACT = b64encode((ROOT / "examples/contract.pdf").read_bytes()).decode()


def parsed(running: RunningService, **fields: Any) -> Any:
    answer = running.client.post("/layout-parsing", json={"file": SCAN, "visualize": False, **fields})
    return answer.raise_for_status().json()["result"]


def test_scan_is_read_in_the_form_of_paddlex(running: RunningService) -> None:
    own = running.client.post("/ocr", files={"file": b64decode(SCAN)}).json()["pages"][0]
    [page] = parsed(running)["layoutParsingResults"]
    blocks = page["prunedResult"]["parsing_res_list"]
    assert [block["block_label"] for block in blocks] == ["doc_title", "text", "list"]
    assert [block["block_content"] for block in blocks] == [block["content"] for block in own["blocks"]]
    assert [block["block_bbox"] for block in blocks] == [block["bbox"] for block in own["blocks"]]
    assert page["markdown"] == {"text": own["markdown"], "images": {}}
    assert "outputImages" not in page and "inputImage" not in page


def test_pages_are_visualized(running: RunningService) -> None:
    [page] = parsed(running, visualize=None)["layoutParsingResults"]
    shown, drawn = (
        Image.open(io.BytesIO(b64decode(picture)))
        for picture in (page["inputImage"], page["outputImages"]["layout_det_res"])
    )
    assert page["outputImages"].keys() == {"layout_det_res"}
    assert shown.size == drawn.size == (1240, 500)
    assert drawn.getcolors(2**24) != shown.convert("RGB").getcolors(2**24)


def test_default_values_of_options_are_accepted(running: RunningService) -> None:
    """langchain-paddleocr sends these defaults."""
    parsed(
        running,
        fileType=1,
        useDocOrientationClassify=False,
        useDocUnwarping=False,
        layoutShapeMode="auto",
        prettifyMarkdown=True,
        showFormulaNumber=False,
        returnMarkdownImages=True,
        restructurePages=False,
        mergeTables=True,
        relevelTitles=True,
        outputFormats=[],
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("useChartRecognition", True),
        ("useDocUnwarping", True),
        ("layoutNms", False),
        ("layoutShapeMode", "rect"),
        ("prettifyMarkdown", False),
        ("restructurePages", True),
        ("mergeTables", False),
        ("topP", 0.5),
        ("outputFormats", ["docx"]),
    ],
)
def test_option_of_paddleocr_vl_is_refused_by_name(running: RunningService, name: str, value: Any) -> None:
    body = {"file": SCAN, name: value}
    answer = running.client.post("/layout-parsing", json=body)
    assert answer.status_code == answer.json()["errorCode"] == 422
    assert answer.json()["errorMsg"] == f"Tesseract does not have {name}; PaddleOCR-VL does."


@pytest.mark.parametrize("concatenate", [False, True])
def test_pages_are_concatenated(running: RunningService, concatenate: bool) -> None:
    pages = parsed(running, file=CONTRACT)["layoutParsingResults"]
    given = [{"prunedResult": page["prunedResult"]} for page in pages]
    body = {"pages": given, "concatenatePages": concatenate}
    answer = running.client.post("/restructure-pages", json=body).raise_for_status().json()
    again = answer["result"]["layoutParsingResults"]
    texts = [page["markdown"]["text"] for page in pages]
    assert [page["markdown"]["text"] for page in again] == (["\n\n".join(texts)] if concatenate else texts)
    blocks = [block for page in again for block in page["prunedResult"]["parsing_res_list"]]
    assert len(blocks) == sum(len(page["prunedResult"]["parsing_res_list"]) for page in pages)


def test_joined_pages_have_the_warnings_of_all(running: RunningService) -> None:
    low, none = ({"code": code, "detail": "Check it."} for code in ("low_confidence", "no_text"))
    empty: dict[str, Any] = {"model_settings": {}, "parsing_res_list": []}
    pages = [{"prunedResult": {**empty, "warnings": sent}} for sent in ([low], [none, low], "?", [5])]
    body = {"pages": pages, "concatenatePages": True}
    answer = running.client.post("/restructure-pages", json=body).raise_for_status().json()
    [page] = answer["result"]["layoutParsingResults"]
    assert page["prunedResult"]["warnings"] == [low, none]
