"""`/layout-parsing` compared with the PaddleX app: same models, same requests, same responses."""

import io
from base64 import b64decode, b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.docs.pages import ENGLISH, rows
from tests.paddleocr_vl.peer import CHAPTERS_PDF, Both, LazyFile, page, page_file, scan, sent, without_id
from tests.real_vllm.running import VENV
from tests.running import RunningVllm
from tests.samples import bomb_png, encoded, pdf_of_text, small_png
from tests.stand_ins.pages import VARIOUS_PAGES as PAGES
from tests.stand_ins.pages import Box, draw_page, text_page

LYING = Image.Exif()
LYING[0x0112] = 6
LARGE = LazyFile(lambda: encoded(text_page(3, size=(2480, 3508)), "PNG"))
UNKNOWN = {"useTableRecognition": True, "textDetThresh": 0.3}

SAME: dict[str, dict[str, Any]] = {
    "page": page("12 blocks 0"),
    "page without blocks": page("empty"),
    "page with a picture": page("with image"),
    "page with a chart": page("with chart"),
    "picture in a table": page("picture in a table"),
    "80 blocks": page("80 blocks"),
    "visualized page": page("with table", visualize=True),
    "page visualized by default": {"file": page_file("with seal"), "fileType": 1},
    "visualized empty page": page("empty", visualize=True),
    # Each block of it has a mask of the whole page.
    "visualized large page": {"file": LARGE, "fileType": 1, "visualize": True},
    "visualized single block": page("with text", visualize=True, useLayoutDetection=False),
    "visualized spotting": page(
        "one block 0", visualize=True, useLayoutDetection=False, promptLabel="spotting"),
    "JPEG": {**page("with text"), "file": scan(PAGES["with text"], "JPEG", quality=90)},
    "JPEG rotated by EXIF": {**page("with text"), "file": scan(
        PAGES["with text"].rotate(90, expand=True), "JPEG", quality=90, exif=LYING)},
    "grey JPEG": {**page("with text"), "file": scan(PAGES["with text"].convert("L"), "JPEG")},
    "BMP": {**page("with text"), "file": scan(PAGES["landscape 0"], "BMP")},
    "WebP": {**page("with text"), "file": scan(PAGES["landscape 0"], "WEBP", lossless=True)},
    "TIFF of one page": {**page("with text"), "file": scan(PAGES["with text"], "TIFF")},
    "TIFF of two pages": {**page("with text"), "file": scan(
        PAGES["with text"], "TIFF", save_all=True, append_images=[PAGES["landscape 0"]])},
    "PDF": CHAPTERS_PDF,
    "visualized PDF": {**CHAPTERS_PDF, "visualize": True},
    "PDF of text": {**CHAPTERS_PDF, "file": b64encode(pdf_of_text(["one", "two"])).decode()},
    "PDF, restructured": {**CHAPTERS_PDF, "restructurePages": True},
    "PDF, restructured and visualized": {**CHAPTERS_PDF, "restructurePages": True, "visualize": True},
    "PDF, restructured without tables": {**CHAPTERS_PDF, "restructurePages": True, "mergeTables": False},
    "PDF, restructured without titles": {**CHAPTERS_PDF, "restructurePages": True, "relevelTitles": False},
    "PDF, restructured and formatted": {
        **CHAPTERS_PDF, "restructurePages": True, "formatBlockContent": True},
    "useDocOrientationClassify": page("with text", useDocOrientationClassify=False),
    "useDocUnwarping": page("with text", useDocUnwarping=False),
    "useLayoutDetection": page("12 blocks 0", useLayoutDetection=False),
    "promptLabel": page("with table", useLayoutDetection=False, promptLabel="table"),
    "useChartRecognition": page("with chart", useChartRecognition=True),
    "useSealRecognition": page("with seal", useSealRecognition=True),
    "useOcrForImageBlock": page("with image", useOcrForImageBlock=True),
    "layoutThreshold": page("12 blocks 0", layoutThreshold=0.95),
    "layoutNms": page("with text", layoutNms=False),
    "layoutUnclipRatio": page("with text", layoutUnclipRatio=1.1),
    "layoutMergeBboxesMode": page("picture in a table", layoutMergeBboxesMode="large"),
    "layoutShapeMode": page("with text", layoutShapeMode="rect"),
    "formatBlockContent": page("with table", formatBlockContent=True),
    "repetitionPenalty": page("with text", repetitionPenalty=1.2),
    # With this topP, a real model takes the most probable token too.
    "temperature and topP": page("with text", temperature=0.4, topP=0.01),
    "minPixels and maxPixels": page("with text", minPixels=1000, maxPixels=90000),
    "maxNewTokens": page("with text", maxNewTokens=777),
    "mergeLayoutBlocks": page("two columns", mergeLayoutBlocks=False),
    "markdownIgnoreLabels": page("with header", markdownIgnoreLabels=["text"]),
    "markdownIgnoreLabels, none": page("with header_image", markdownIgnoreLabels=[]),
    "vlmExtraArgs": page("with table", vlmExtraArgs={"table_max_pixels": 50000}),
    "prettifyMarkdown": page("with table", prettifyMarkdown=False),
    "showFormulaNumber": page("with display_formula", showFormulaNumber=True),
    "returnMarkdownImages": page("with image", returnMarkdownImages=False),
    "outputFormats, none": page("with text", outputFormats=[]),
    "fields of other pipelines": page("with text", **UNKNOWN),
    "every nullable option is null": page("with text", **dict.fromkeys((
        "useDocOrientationClassify", "useDocUnwarping", "useLayoutDetection", "useChartRecognition",
        "useSealRecognition", "useOcrForImageBlock", "layoutThreshold", "layoutNms", "layoutUnclipRatio",
        "layoutMergeBboxesMode", "promptLabel", "formatBlockContent", "repetitionPenalty", "temperature",
        "topP", "minPixels", "maxPixels", "maxNewTokens", "mergeLayoutBlocks", "markdownIgnoreLabels",
        "vlmExtraArgs", "outputFormats", "logId"))),
}  # fmt: skip


# Pages on which the stand-in for the layout model finds nothing.
WITHOUT_TEXT = {"PDF of text", "layoutThreshold"}
if VENV is not None:
    # The random text of the real vLLM has no positions.
    WITHOUT_TEXT.add("visualized spotting")


@pytest.mark.parametrize("name", SAME)
def test_responses_are_equal(both: Both, name: str) -> None:
    ours, theirs = both.ask(SAME[name])
    assert ours.status_code == theirs.status_code == 200, ours.text
    body = without_id(ours)
    expected = ["no_text"] if name in WITHOUT_TEXT else []
    assert all(codes == expected for codes in taken_warnings(body["result"]))
    assert body == without_id(theirs)


def taken_warnings(result: dict[str, Any]) -> list[list[str]]:
    """Take the warnings, which are our own, out of a result; return the codes of each page."""
    found = [page_["prunedResult"].pop("warnings", []) for page_ in result["layoutParsingResults"]]
    return [[warning["code"] for warning in warnings] for warnings in found]


REFUSED: dict[str, Any] = {
    "no file": {"fileType": 1},
    "file that is a number": {"file": 5, "fileType": 1},
    "fileType 2": page("with text", fileType=2),
    "image with the fileType of a PDF": page("with text", fileType=0),
    "PDF with the fileType of an image": {**CHAPTERS_PDF, "fileType": 1},
    "bytes of nothing": {"file": b64encode(b"no document").decode(), "fileType": 1},
    "no bytes": {"file": "", "fileType": 1},
    "truncated base64": {"file": "iVBORw0KGgo", "fileType": 1},
    "cut off image": {"file": b64encode(small_png()[:20]).decode(), "fileType": 1},
    "cut off PDF": {"file": b64encode(pdf_of_text(["a"])[:50]).decode(), "fileType": 0},
    "too many pixels": {"file": b64encode(bomb_png(13_400)).decode(), "fileType": 1},
    "body that is a list": [],
    "flag that is a word": page("with text", useLayoutDetection="perhaps"),
    "layoutThreshold": page("with text", layoutThreshold=1.5),
    "layoutThreshold by label": page("with text", layoutThreshold={"22": -1}),
    "layoutUnclipRatio": page("with text", layoutUnclipRatio=0),
    "layoutUnclipRatio by label": page("with text", layoutUnclipRatio={"22": [1, -1]}),
    "layoutMergeBboxesMode": page("with text", layoutMergeBboxesMode="tiny"),
    "layoutMergeBboxesMode by label": page("with text", layoutMergeBboxesMode={"22": "tiny"}),
    "layoutShapeMode": page("with text", layoutShapeMode="round"),
    "layoutShapeMode null": page("with text", layoutShapeMode=None),
    "promptLabel": page("with text", promptLabel="poem"),
    "repetitionPenalty": page("with text", repetitionPenalty=0),
    "temperature": page("with text", temperature=-1),
    "topP": page("with text", topP=1.5),
    "minPixels": page("with text", minPixels=0),
    "maxPixels": page("with text", maxPixels=-1),
    "minPixels above maxPixels": page("with text", minPixels=200, maxPixels=100),
    "maxNewTokens": page("with text", maxNewTokens=0),
    "prettifyMarkdown null": page("with text", prettifyMarkdown=None),
    "markdownIgnoreLabels": page("with text", markdownIgnoreLabels="text"),
    "outputFormats": page("with text", outputFormats=["pdf"]),
    "logId that is a number": page("with text", logId=5),
}  # fmt: skip


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_both_refuse_the_same_requests(both: Both, request_: Any) -> None:
    """Both refuse with the same status and the same form; the messages are our own."""
    ours = both.ours.post("/layout-parsing", json=sent(request_))
    body = without_id(ours)
    assert body.keys() == {"errorCode", "errorMsg"}
    if isinstance(request_, dict) and isinstance(request_.get("logId"), int):
        # PaddleX's own error handler fails there.
        assert (ours.status_code, body["errorCode"]) == (422, 422)
        return
    theirs = both.theirs.post("/layout-parsing", json=sent(request_))
    their_body = without_id(theirs)
    assert body.keys() == their_body.keys()
    assert (
        (ours.status_code, body["errorCode"]) == (theirs.status_code, their_body["errorCode"]) == (422, 422)
    )


# Intended differences: request, status of PaddleX, status of this service.
DIFFERENT: dict[str, tuple[Any, int, int]] = {
    "base64 without a `fileType`: the type is detected": (
        {"file": page_file("with text"), "visualize": False}, 422, 200),
    "pair as `layoutUnclipRatio`": (page("with text", layoutUnclipRatio=[1.0, 1.2]), 422, 200),
    "HEIC": ({"file": scan(PAGES["with text"], "HEIF"), "fileType": 1}, 422, 200),
    "Office document": ({"file": b64encode(b"PK\x03\x04").decode(), "fileType": 1}, 422, 415),
    "model that is not loaded; the answer names the setting": (
        page("with text", useDocUnwarping=True), 500, 422),
    "unknown name in `vlmExtraArgs`": (page("with text", vlmExtraArgs={"x_max_pixels": 5}), 200, 422),
    "values above our limits: `temperature` above 2, `maxNewTokens` above 16384": (
        page("with text", temperature=3), 200, 422),
    "address that cannot be fetched": (
        {"file": "http://nowhere.invalid/scan.png", "fileType": 1}, 422, 424),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "theirs", "ours"), DIFFERENT.values(), ids=DIFFERENT)
def test_intended_differences(both: Both, request_: Any, theirs: int, ours: int) -> None:
    our_answer, their_answer = both.ask(request_)
    assert (their_answer.status_code, our_answer.status_code) == (theirs, ours), our_answer.text


def test_intended_differences_are_documented() -> None:
    differ = [[name, str(theirs), str(ours)] for name, (_, theirs, ours) in DIFFERENT.items()]
    assert [row for row in differ if row not in rows(ENGLISH)] == []


def test_private_addresses_are_not_fetched(both: Both, tmp_path: Path) -> None:
    PAGES["with text"].save(tmp_path / "scan.png")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        address = f"http://127.0.0.1:{server.server_port}/scan.png"
        try:
            ours, theirs = both.ask({"file": address, "visualize": False})
        finally:
            server.shutdown()
            serving.join()
    assert (theirs.status_code, ours.status_code) == (200, 422)


def test_pages_beyond_ten_are_read(both: Both) -> None:
    request = {**CHAPTERS_PDF, "file": b64encode(pdf_of_text(["a"] * 12)).decode()}
    ours, theirs = (without_id(answer)["result"] for answer in both.ask(request))
    assert (ours["dataInfo"]["numPages"], theirs["dataInfo"]["numPages"]) == (12, 10)
    # The stand-in for the layout model finds nothing.
    assert taken_warnings(ours) == [["no_text"]] * 12
    assert ours["layoutParsingResults"][:10] == theirs["layoutParsingResults"]


@pytest.mark.parametrize(
    "option",
    [{"layoutThreshold": {"22": 0.95, "6": 0.3}}, {"layoutUnclipRatio": {"22": [1.1, 1.2]}}],
    ids=lambda option: str(next(iter(option))),
)
def test_class_ids_are_accepted_as_keys(both: Both, option: dict[str, Any]) -> None:
    """JSON keys are strings, but PaddleX looks them up as numbers."""
    request = page("with text", **option)
    ours, theirs = both.ask(request)
    assert ours.status_code == theirs.status_code == 200
    assert boxes(ours) != boxes(theirs)


def boxes(answer: httpx.Response) -> list[Any]:
    [result] = answer.json()["result"]["layoutParsingResults"]
    return [block["block_bbox"] for block in result["prunedResult"]["parsing_res_list"]]


def test_large_markdown_pictures_are_not_resized(both: Both) -> None:
    image = draw_page([Box("image", 2, 6, 61, 61)], size=(2400, 2600))
    ours, theirs = both.ask({"file": scan(image).base64, "fileType": 1, "visualize": False})
    sizes = []
    for answer in (ours, theirs):
        [result] = answer.json()["result"]["layoutParsingResults"]
        [picture] = result["markdown"].pop("images").values()
        sizes.append(max(Image.open(io.BytesIO(b64decode(picture))).size))
    assert sizes[0] > 2000 == sizes[1]


def test_very_large_pages_are_not_visualized(both: Both) -> None:
    image = draw_page([Box("text", 2, 6, 61, 61)], size=(4100, 4100))
    answer = both.ours.post("/layout-parsing", json={"file": scan(image).base64})
    [parsed] = answer.json()["result"]["layoutParsingResults"]
    assert parsed["outputImages"] == {}
    assert Image.open(io.BytesIO(b64decode(parsed["inputImage"]))).size == (2000, 2000)


@pytest.mark.parametrize("angle", [0, 90])
@pytest.mark.parametrize(
    "option", [{}, {"useDocUnwarping": False}, {"useDocOrientationClassify": False}], ids=str
)
def test_rotated_and_unwarped_pages(both_with_all_models: Both, angle: int, option: dict[str, Any]) -> None:
    image = draw_page([Box("text", 4, 10, 59, 30), Box("table", 4, 33, 59, 50)], seed=7, marked=True)
    request = {"file": scan(image.rotate(-angle, expand=True)).base64, "fileType": 1, **option}
    our_answer, their_answer = both_with_all_models.ask(request)
    ours, theirs = without_id(our_answer), without_id(their_answer)
    [result] = ours["result"]["layoutParsingResults"]
    warnings = result["prunedResult"].pop("warnings", [])
    # Without one of the two, PaddleX leaves out the other, and the sideways page is not read.
    code = "no_text" if option else "rotated"
    assert [warning["code"] for warning in warnings] == ([code] if angle else [])
    assert all("rotated by 90 degrees" in each["detail"] for each in warnings if each["code"] == "rotated")
    assert ours == theirs
    assert ("preprocessed_img" in result["outputImages"]) == (not option)


@pytest.mark.stand_in("it makes vLLM fail")
def test_failed_blocks_are_reported(both: Both, vllm_of_both: RunningVllm) -> None:
    """The other blocks are returned; PaddleX fails the whole document."""
    # A page that is not in the cache.
    vllm_of_both.fault("500", after=3)
    ours = both.ours.post("/layout-parsing", json=sent(page("12 blocks 3")))
    vllm_of_both.fault(None)
    [result] = ours.json()["result"]["layoutParsingResults"]
    parsed = result["prunedResult"]
    assert ours.status_code == 200
    assert parsed["error"]["code"] == "partly_recognized"
    assert parsed["errors"]
    for number, block in enumerate(parsed["parsing_res_list"]):
        assert bool(block["block_content"]) == (str(number) not in parsed["errors"])


@pytest.mark.stand_in("it makes vLLM fail")
def test_unavailable_vlm_is_reported(both: Both, vllm_of_both: RunningVllm) -> None:
    vllm_of_both.fault("500")
    ours = both.ours.post("/layout-parsing", json=sent(page("landscape 3", logId="mine")))
    vllm_of_both.fault(None)
    assert (ours.status_code, ours.json()["errorCode"], ours.json()["logId"]) == (503, 503, "mine")
    assert ours.headers["Retry-After"]
