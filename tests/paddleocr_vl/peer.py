"""PaddleX's own app and this service's, on the same stand-ins, asked the same."""

import io
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ocr_engine import PaddleOcrVlEngine
from ocr_service.config import Settings
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings
from server import create_app
from tests.paddleocr_vl import official
from tests.paddleocr_vl.threaded import ThreadedServer
from tests.running import RunningVllm
from tests.stand_ins.pages import Box, draw_page, various_pages

PAGES = dict(various_pages())


@dataclass(frozen=True)
class Both:
    """The same question to both."""

    ours: httpx.Client
    theirs: httpx.Client
    vllm: RunningVllm

    def ask(self, request: Any, path: str = "/layout-parsing") -> tuple[httpx.Response, httpx.Response]:
        body = sent(request)
        return self.ours.post(path, json=body), self.theirs.post(path, json=body)


@contextmanager
def both_apps(vllm: RunningVllm, settings: PaddleOcrVlSettings, **loaded: bool) -> Iterator[Both]:
    """Run both; what differs between them is what they are."""
    from paddlex.inference.serving.basic_serving._pipeline_apps.paddleocr_vl import create_pipeline_app
    from paddlex.inference.serving.infra.config import AppConfig

    pipeline = official.pipeline(vllm.api, **loaded).paddlex_pipeline
    engine = PaddleOcrVlEngine(settings)
    with (
        ThreadedServer(create_app(Settings(), engine)) as ours,
        ThreadedServer(create_pipeline_app(pipeline, AppConfig())) as theirs,
    ):
        yield Both(ours.client, theirs.client, vllm)


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


def without_id(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert body.pop("logId")
    return body
