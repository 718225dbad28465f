"""Setup for measurements of PaddleOCR-VL: the service on stand-ins, and pages for it."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running import RunningService, RunningVllm
from tests.stand_ins.models import make_model_cache
from tests.stand_ins.pages import A4_AT_200_DPI, text_page

BLOCKS = 12


@contextmanager
def models_and_vllm(*pace: str) -> Iterator[tuple[dict[str, str], RunningVllm]]:
    """Make the models and start the VLM; yield the environment that names the models, and the VLM.

    pace: command line options of the stand-in; if there are none, its timing is that of a real vLLM.
    """
    with tempfile.TemporaryDirectory() as folder, RunningVllm(*pace) as vllm:
        yield make_model_cache(Path(folder)), vllm


def service_on(models: dict[str, str], *servers: RunningVllm) -> RunningService:
    """Prepare the service with PaddleOCR-VL on one or several vLLM servers."""
    url = ",".join(server.api for server in servers)
    return RunningService(
        OCR_ENGINE="paddleocr-vl", OCR_LAYOUT_ENGINE="onnxruntime", OCR_VLM_URL=url, **models
    )


def page_files(count: int, blocks: int = BLOCKS) -> list[bytes]:
    """Make different scans as JPEG files."""
    files = []
    for seed in range(count):
        file = io.BytesIO()
        text_page(blocks, seed, A4_AT_200_DPI).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files
