"""The service as a process, with either engine, for clients that run as processes too."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.running import FAST, ROOT, RunningService, RunningVllm
from tests.samples import SERIF
from tests.stand_ins.models import make_model_cache
from tests.stand_ins.pages import Box, draw_page


@dataclass(frozen=True)
class Target:
    """A running service, and documents for it: a picture and a PDF."""

    service: RunningService
    picture: Path
    pdf: Path

    def texts(self, document: Path) -> list[str]:
        """Texts of the pages from the service itself, as Markdown."""
        answer = self.service.client.post("/ocr", files={"file": document.read_bytes()})
        return [page["markdown"] for page in answer.raise_for_status().json()["pages"]]


@pytest.fixture(scope="session")
def with_paddleocr_vl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("clients")
    pages = [
        draw_page([Box("doc_title", 10, 7, 50, 10), Box("text", 4, 14, 59, 30), Box("image", 5, 40, 30, 60)]),
        draw_page([Box("table", 5, 7, 58, 20), Box("chart", 5, 30, 40, 50)], seed=2),
    ]
    pages[0].save(folder / "page.png")
    pages[0].save(folder / "pages.pdf", save_all=True, append_images=pages[1:], resolution=200)
    with (
        RunningVllm(*FAST) as vllm,
        RunningService(
            OCR_ENGINE="paddleocr-vl",
            OCR_LAYOUT_ENGINE="onnxruntime",
            OCR_VLM_URL=vllm.api,
            # The default, as if no font was chosen, on a machine without a network.
            PADDLE_PDX_LOCAL_FONT_FILE_PATH="",
            OCR_OUTPUT_DIR=str(folder / "results"),
            **make_model_cache(folder / "models", masks=True),
        ) as service,
    ):
        yield Target(service, folder / "page.png", folder / "pages.pdf")


FILE_NAME = "акт.png"
TEXT = "Delivery note 4471"


def draw_upload(file: Path) -> None:
    """Write a small picture of TEXT."""
    image = Image.new("1", (520, 90), 1)
    ImageDraw.Draw(image).text((20, 20), TEXT, 0, ImageFont.truetype(SERIF, 40))
    image.save(file, optimize=True, dpi=(200, 200))


@pytest.fixture(scope="session")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture with a Russian name."""
    file = tmp_path_factory.mktemp("upload") / FILE_NAME
    draw_upload(file)
    return file


@pytest.fixture(scope="session")
def with_tesseract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with RunningService(OCR_OUTPUT_DIR=str(tmp_path_factory.mktemp("results"))) as service:
        yield Target(service, ROOT / "examples/scan.jpg", ROOT / "examples/contract.pdf")
