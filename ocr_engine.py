"""The adapter to PaddleOCR-VL and its vLLM server; nothing else knows either of them.

Nothing heavy is imported with this module: `paddleocr` alone takes seconds, so it comes with the first page.
"""

import importlib
import importlib.metadata
import logging
import time
from pathlib import Path
from typing import Any

import httpx

from ocr_service.documents import (
    Block,
    EngineState,
    ImageMode,
    Options,
    Page,
    PageResult,
    Timings,
)
from ocr_service.errors import EngineUnavailable, RecognitionFailed
from ocr_service.starting import LazyStart
from ocr_service.workers import Workers

DEFAULT_VLM_URL = "http://127.0.0.1:8080/v1"

_MODEL = "PaddleOCR-VL"
_PROBE_SECONDS = 0.5
_REFUSED_FOR_ITS_CONTENT = (400, 413, 422)

log = logging.getLogger(__name__)


def found_here(vlm_url: str | None) -> str | None:
    """Say in words why PaddleOCR-VL can be expected to work here, or None where it cannot.

    vlm_url: the address of vLLM where one is set; else the usual one is tried, briefly.
    """
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return "a GPU is visible"
    if vlm_url is not None:
        return "OCR_VLM_URL is set"
    if _served_model(DEFAULT_VLM_URL):
        return f"a vLLM server answers at {DEFAULT_VLM_URL}"
    return None


def _served_model(url: str) -> str | None:
    """Return the name under which a vLLM server serves our model, or None where it does not."""
    try:
        # Not through a proxy that the environment names for the outside world.
        answer = httpx.get(f"{url.rstrip('/')}/models", timeout=_PROBE_SECONDS, trust_env=False)
        names = [str(model["id"]) for model in answer.raise_for_status().json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return next((name for name in names if _MODEL in name), None)


class PaddleOcrVlEngine:
    """Reads pages with the official PaddleOCR-VL pipeline, whose VLM runs in a vLLM server.

    pipeline_version: "v1", "v1.5" or "v1.6". vlm_url: vLLM's OpenAI-compatible API.
    """

    name = "paddleocr-vl"
    title = "PaddleOCR-VL"
    resolution = 144
    image_mode: ImageMode = "RGB"
    # JPEG, the form in which crops travel to the VLM, ends there.
    max_page_side = 65_500
    starts_early = False
    # The pipeline belongs to one thread; one page waits decoded behind the one being read.
    max_pages_in_flight = 2

    def __init__(self, pipeline_version: str, vlm_url: str | None = None) -> None:
        self._pipeline_version = pipeline_version
        self._vlm_url = vlm_url or DEFAULT_VLM_URL
        self._starting = LazyStart(self.title, self._start)
        self._worker = Workers(1, self.name)
        self._pipeline: Any = None
        self.version: str | None = None

    @property
    def state(self) -> EngineState:
        return self._starting.state

    async def start(self) -> None:
        await self._starting.ensure()

    async def close(self) -> None:
        await self._starting.cancel()
        self._worker.close()

    def check(self, options: Options) -> None:
        """Nothing to refuse: the model reads all its languages at once, whichever is named."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        return await self._worker.run(self._read, page, time.perf_counter())

    async def _start(self) -> None:
        await self._worker.run(self._build)

    def _build(self) -> None:
        try:
            paddleocr = importlib.import_module("paddleocr")
            self._pipeline = paddleocr.PaddleOCRVL(
                pipeline_version=self._pipeline_version,
                vl_rec_backend="vllm-server",
                vl_rec_server_url=self._vlm_url,
                # None stands for the release's own name, such as PaddleOCR-VL-1.6-0.9B.
                vl_rec_api_model_name=_served_model(self._vlm_url),
            )
        except ImportError as error:
            raise EngineUnavailable(
                "PaddleOCR is not installed beside the service; requirements-paddleocr.txt lists it."
            ) from error
        except Exception as error:
            raise EngineUnavailable("PaddleOCR-VL could not be started; the log says why.") from error
        self.version = importlib.metadata.version("paddleocr")

    def _read(self, page: Page, asked_at: float) -> PageResult:
        began = time.perf_counter()
        numpy = importlib.import_module("numpy")
        blue_green_red = numpy.asarray(page.image)[:, :, ::-1]
        try:
            [result] = self._pipeline.predict(blue_green_red, use_queues=False)
        except Exception as error:
            # The error's own words may quote the page.
            status = getattr(error, "status_code", "no status")
            log.warning("page %d failed: %s, %s", page.index, type(error).__name__, status)
            raise _translated(error, page.index) from error
        blocks = _blocks(result.json["res"]["parsing_res_list"])
        return PageResult(
            index=page.index,
            width=page.image.width,
            height=page.image.height,
            markdown=result.markdown["markdown_texts"],
            text="\n\n".join(block.content for block in blocks if block.content),
            blocks=blocks,
            timings=Timings(queue=began - asked_at, recognize=time.perf_counter() - began),
        )


def _translated(error: Exception, index: int) -> Exception:
    """Tell a VLM that did not answer, by its OpenAI client's errors, from a page that failed."""
    from_client = type(error).__module__.startswith(("openai", "httpx", "httpcore"))
    if from_client and getattr(error, "status_code", None) not in _REFUSED_FOR_ITS_CONTENT:
        return EngineUnavailable("The vLLM server does not answer.")
    return RecognitionFailed(f"PaddleOCR-VL could not read page {index}.")


def _blocks(parsed: list[dict[str, Any]]) -> tuple[Block, ...]:
    return tuple(
        Block(
            label=block["block_label"],
            bbox=tuple(round(edge) for edge in block["block_bbox"]),
            content=block["block_content"],
            order=order,
        )
        for order, block in enumerate(parsed, start=1)
    )
