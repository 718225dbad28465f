"""The PaddleX app and this service, on the same models, with the same requests."""

import io
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import httpx
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ocr_engine import PaddleOcrVlEngine
from server import create_app
from tests.paddleocr_vl import official
from tests.paddleocr_vl.threaded import ThreadedServer
from tests.running import Vllm
from tests.samples import encoded
from tests.settings import settings_of
from tests.stand_ins.pages import VARIOUS_PAGES as PAGES
from tests.stand_ins.pages import Box, draw_page


@dataclass(frozen=True)
class Both:
    """Sends the same request to both apps."""

    ours: httpx.Client
    theirs: httpx.Client

    def ask(self, request: Any, path: str = "/layout-parsing") -> tuple[httpx.Response, httpx.Response]:
        body = sent(request)
        return self.ours.post(path, json=body), self.theirs.post(path, json=body)


@contextmanager
def both_apps(vllm: Vllm, engine: PaddleOcrVlEngine, **loaded: bool) -> Iterator[Both]:
    """Run both apps; if they behave differently, the cause is the app and not the models."""
    from paddlex.inference.serving.basic_serving._pipeline_apps.paddleocr_vl import create_pipeline_app
    from paddlex.inference.serving.infra.config import AppConfig

    pipeline = official.pipeline(vllm.api, **loaded).paddlex_pipeline
    with (
        ThreadedServer(create_app(settings_of(), engine)) as ours,
        ThreadedServer(create_pipeline_app(pipeline, AppConfig())) as theirs,
    ):
        yield Both(ours.client, theirs.client)


class LazyFile:
    """A file that is made when it is first sent, and only once."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make

    @cached_property
    def base64(self) -> str:
        return b64encode(self._make()).decode()


def scan(image: Image.Image, kind: str = "PNG", **options: Any) -> LazyFile:
    return LazyFile(partial(encoded, image, kind, **options))


def sent(request: Any) -> Any:
    """Return the request as JSON, with its files in base64."""
    if isinstance(request, dict) and isinstance(request.get("file"), LazyFile):
        return {**request, "file": request["file"].base64}
    return request


def pdf_of(images: list[Image.Image]) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(595, 842))
    for image in images:
        canvas.drawImage(ImageReader(image), 0, 0, 595, 842)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@cache
def page_file(name: str) -> LazyFile:
    return LazyFile(lambda: encoded(PAGES[name], "PNG"))


def page(name: str, **fields: Any) -> dict[str, Any]:
    """Build a request for a page; `visualize` is off unless a case needs the rendered images."""
    return {"file": page_file(name), "fileType": 1, "visualize": False, **fields}


CHAPTERS = (
    (Box("doc_title", 10, 7, 50, 10), Box("table", 5, 30, 58, 61)),
    (Box("table", 5, 7, 58, 20), Box("paragraph_title", 5, 25, 40, 27)),
    (Box("paragraph_title", 5, 8, 40, 9), Box("image", 5, 12, 30, 30)),
)
CHAPTERS_PDF = {
    "file": LazyFile(
        lambda: pdf_of([draw_page(boxes, seed) for seed, boxes in enumerate(CHAPTERS, start=1)])
    ),
    "fileType": 0,
    "visualize": False,
}


def without_id(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert body.pop("logId")
    return body
