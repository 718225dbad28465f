"""`/layout-parsing` beside PaddleX's own app: the same stand-ins, the same requests, the same answers."""

import io
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ocr_engine import PaddleOcrVlEngine
from ocr_service.config import Settings
from server import create_app
from tests.paddleocr_vl import official
from tests.paddleocr_vl.conftest import settings_on
from tests.paddleocr_vl.threaded import ThreadedServer
from tests.running import RunningVllm
from tests.samples import bomb_png, pdf_of_text, small_png
from tests.stand_ins.pages import Box, draw_page, various_pages

PAGES = dict(various_pages())
LOADED = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}


@dataclass(frozen=True)
class Both:
    """The same question to both."""

    ours: httpx.Client
    theirs: httpx.Client

    def ask(self, request: Any, path: str = "/layout-parsing") -> tuple[httpx.Response, httpx.Response]:
        body = sent(request)
        return self.ours.post(path, json=body), self.theirs.post(path, json=body)


def servers(vllm: RunningVllm, **loaded: bool) -> Iterator[Both]:
    from paddlex.inference.serving.basic_serving._pipeline_apps.paddleocr_vl import create_pipeline_app
    from paddlex.inference.serving.infra.config import AppConfig

    pipeline = official.pipeline(vllm.api, **loaded).paddlex_pipeline
    engine = PaddleOcrVlEngine(settings_on(vllm, jpeg_quality=official.STOCK_QUALITY, **loaded))
    with (
        ThreadedServer(create_app(Settings(), engine)) as ours,
        ThreadedServer(create_pipeline_app(pipeline, AppConfig())) as theirs,
    ):
        yield Both(ours.client, theirs.client)


@pytest.fixture(scope="module")
def both(models: dict[str, str], fast_vllm: RunningVllm) -> Iterator[Both]:
    yield from servers(fast_vllm)


@pytest.fixture(scope="module")
def both_with_all_models(models: dict[str, str], fast_vllm: RunningVllm) -> Iterator[Both]:
    yield from servers(fast_vllm, **LOADED)


@dataclass(frozen=True)
class Scan:
    """A file that is not made before it is needed."""

    image: Image.Image
    kind: str = "PNG"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        file = io.BytesIO()
        self.image.save(file, self.kind, **self.options)
        return b64encode(file.getvalue()).decode()


def scan(image: Image.Image, kind: str = "PNG", **options: Any) -> Scan:
    return Scan(image, kind, options)


def sent(request: Any) -> Any:
    """Return the request as JSON has it."""
    if isinstance(request, dict) and isinstance(request.get("file"), Scan):
        return {**request, "file": str(request["file"])}
    return request


def pdf_of(images: list[Image.Image]) -> str:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(595, 842))
    for image in images:
        canvas.drawImage(ImageReader(image), 0, 0, 595, 842)
        canvas.showPage()
    canvas.save()
    return b64encode(file.getvalue()).decode()


def page(name: str, **fields: Any) -> dict[str, Any]:
    """A request for a page; its pictures of itself only where a case is about them."""
    return {"file": scan(PAGES[name]), "fileType": 1, "visualize": False, **fields}


CHAPTERS = [
    draw_page([Box("doc_title", 10, 7, 50, 10), Box("table", 5, 30, 58, 61)], seed=1),
    draw_page([Box("table", 5, 7, 58, 20), Box("paragraph_title", 5, 25, 40, 27)], seed=2),
    draw_page([Box("paragraph_title", 5, 8, 40, 9), Box("image", 5, 12, 30, 30)], seed=3),
]
CHAPTERS_PDF = {"file": pdf_of(CHAPTERS), "fileType": 0, "visualize": False}
LYING = Image.Exif()
LYING[0x0112] = 6
UNKNOWN = {"useTableRecognition": True, "textDetThresh": 0.3}

SAME: dict[str, dict[str, Any]] = {
    "page": page("12 blocks 0"),
    "page without blocks": page("empty"),
    "page with a picture": page("with image"),
    "page with a chart": page("with chart"),
    "picture in a table": page("picture in a table"),
    "80 blocks": page("80 blocks"),
    "page that is shown": page("with table", visualize=True),
    "page that is shown unasked": {"file": scan(PAGES["with seal"]), "fileType": 1},
    "empty page that is shown": page("empty", visualize=True),
    "large page that is shown": page("80 blocks", visualize=True),
    "one block that is shown": page("with text", visualize=True, useLayoutDetection=False),
    "spots that are shown": page(
        "one block 0", visualize=True, useLayoutDetection=False, promptLabel="spotting"),
    "JPEG": {**page("with text"), "file": scan(PAGES["with text"], "JPEG", quality=90)},
    "JPEG that lies on its side": {**page("with text"), "file": scan(
        PAGES["with text"].rotate(90, expand=True), "JPEG", quality=90, exif=LYING)},
    "grey JPEG": {**page("with text"), "file": scan(PAGES["with text"].convert("L"), "JPEG")},
    "BMP": {**page("with text"), "file": scan(PAGES["landscape 0"], "BMP")},
    "WebP": {**page("with text"), "file": scan(PAGES["landscape 0"], "WEBP", lossless=True)},
    "TIFF of one page": {**page("with text"), "file": scan(PAGES["with text"], "TIFF")},
    "TIFF of two pages": {**page("with text"), "file": scan(
        PAGES["with text"], "TIFF", save_all=True, append_images=[PAGES["landscape 0"]])},
    "PDF": CHAPTERS_PDF,
    "PDF that is shown": {**CHAPTERS_PDF, "visualize": True},
    "PDF of text": {**CHAPTERS_PDF, "file": b64encode(pdf_of_text(["one", "two"])).decode()},
    "PDF, restructured": {**CHAPTERS_PDF, "restructurePages": True},
    "PDF, restructured and shown": {**CHAPTERS_PDF, "restructurePages": True, "visualize": True},
    "PDF, restructured but for tables": {**CHAPTERS_PDF, "restructurePages": True, "mergeTables": False},
    "PDF, restructured but for titles": {**CHAPTERS_PDF, "restructurePages": True, "relevelTitles": False},
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
    "temperature and topP": page("with text", temperature=0.4, topP=0.8),
    "minPixels and maxPixels": page("with text", minPixels=1000, maxPixels=90000),
    "maxNewTokens": page("with text", maxNewTokens=77),
    "mergeLayoutBlocks": page("two columns", mergeLayoutBlocks=False),
    "markdownIgnoreLabels": page("with header", markdownIgnoreLabels=["text"]),
    "markdownIgnoreLabels, none": page("with header_image", markdownIgnoreLabels=[]),
    "vlmExtraArgs": page("with table", vlmExtraArgs={"table_max_pixels": 50000}),
    "prettifyMarkdown": page("with table", prettifyMarkdown=False),
    "showFormulaNumber": page("with display_formula", showFormulaNumber=True),
    "returnMarkdownImages": page("with image", returnMarkdownImages=False),
    "outputFormats, none": page("with text", outputFormats=[]),
    "fields of other pipelines": page("with text", **UNKNOWN),
    "every option null that may be": page("with text", **dict.fromkeys((
        "useDocOrientationClassify", "useDocUnwarping", "useLayoutDetection", "useChartRecognition",
        "useSealRecognition", "useOcrForImageBlock", "layoutThreshold", "layoutNms", "layoutUnclipRatio",
        "layoutMergeBboxesMode", "promptLabel", "formatBlockContent", "repetitionPenalty", "temperature",
        "topP", "minPixels", "maxPixels", "maxNewTokens", "mergeLayoutBlocks", "markdownIgnoreLabels",
        "vlmExtraArgs", "outputFormats", "logId"))),
}  # fmt: skip


@pytest.mark.parametrize("request_", SAME.values(), ids=SAME)
def test_answers_are_the_same(both: Both, request_: dict[str, Any]) -> None:
    ours, theirs = both.ask(request_)
    assert ours.status_code == theirs.status_code == 200, ours.text
    assert without_id(ours) == without_id(theirs)


def without_id(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert body.pop("logId")
    return body


REFUSED: dict[str, Any] = {
    "no file": {"fileType": 1},
    "file that is a number": {"file": 5, "fileType": 1},
    "fileType 2": page("with text", fileType=2),
    "image that is said to be a PDF": page("with text", fileType=0),
    "PDF that is said to be an image": {**CHAPTERS_PDF, "fileType": 1},
    "bytes of nothing": {"file": b64encode(b"no document").decode(), "fileType": 1},
    "no bytes": {"file": "", "fileType": 1},
    "base64 that is cut off": {"file": "iVBORw0KGgo", "fileType": 1},
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
def test_the_same_is_refused(both: Both, request_: Any) -> None:
    """The sentences are our own; status and form are PaddleX's."""
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
