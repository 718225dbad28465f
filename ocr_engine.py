"""PaddleOCR-VL as an `Engine`, with its VLM in a vLLM server.

The official pipeline reads the pages, one thread per page, with two of its parts replaced: the layout model
runs on a thread of its own, in batches of pages, and our client of the VLM sends all blocks of a page at
once. Calls to vLLM wait in the event loop, so that they can be cancelled.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

from PIL import Image

from ocr_service.core.documents import ImageMode, Page, PageResult, Timings
from ocr_service.core.engine import EngineState, VlmStatus
from ocr_service.core.errors import (
    OcrError,
    OptionNotSupported,
    RecognitionFailed,
    VlmTimeout,
    VlmUnavailable,
)
from ocr_service.core.options import Options, TextLayerUse
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.engines.lazy_start import LazyStart
from ocr_service.engines.paddleocr_vl.drawings import draw
from ocr_service.engines.paddleocr_vl.model_thread import ModelThread
from ocr_service.engines.paddleocr_vl.options import (
    PaddleOcrVlOptions,
    check_options,
    max_new_tokens,
    predict_options,
)
from ocr_service.engines.paddleocr_vl.page_calls import CallOptions, PageCalls, current
from ocr_service.engines.paddleocr_vl.pipeline_builder import BuiltPipeline, build, installed_versions
from ocr_service.engines.paddleocr_vl.results import page_result, restructure
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings
from ocr_service.engines.paddleocr_vl.vlm_pool import VlmPool
from ocr_service.engines.paddleocr_vl.word_documents import word_document
from ocr_service.engines.page_warnings import no_text
from ocr_service.runtime.cores import usable_cores
from ocr_service.runtime.threads import Workers

# If all blocks of a page failed, the most general of their errors becomes the error of the page.
_MOST_GENERAL_FIRST = (VlmUnavailable, VlmTimeout, RecognitionFailed)

# Enough blocks to fill the batch of a vLLM server, while other pages are prepared or assembled.
_PAGES_PER_SERVER = 48
# A quarter of the batch: the blocks of a request are a small part of it, but hardly slower.
_JOB_PAGES_PER_SERVER = 12

log = logging.getLogger(__name__)


class PaddleOcrVlEngine:
    """Reads pages with the official PaddleOCR-VL pipeline, whose VLM runs in a vLLM server."""

    name = PADDLEOCR_VL
    title = "PaddleOCR-VL"
    resolution = 144
    image_mode: ImageMode = "RGB"
    # The limit of JPEG, in which crops are sent to the VLM.
    max_page_side = 65_500
    starts_early = False
    # The VLM reads formulas and tables too; the text layer shows if it left text out or made some up.
    default_text_layer = TextLayerUse.NEVER
    checks_text_layer = True
    finds_words = False

    def __init__(self, settings: PaddleOcrVlSettings, vlm: VlmSettings) -> None:
        self._settings = settings
        self._vlm_settings = vlm
        self._vlm = VlmPool(vlm)
        self.max_pages_in_flight = _PAGES_PER_SERVER * len(vlm.api_urls)
        self.job_pages = _JOB_PAGES_PER_SERVER * len(vlm.api_urls)
        self._lazy_start = LazyStart(self.title, self._start)
        self._threads = Workers(self.max_pages_in_flight, self.name)
        self._models: ModelThread | None = None
        self._pipeline: BuiltPipeline | None = None
        # Limits the pages that compute at the same time: more would only wait for each other and hold memory.
        self._cores = threading.Semaphore(usable_cores())
        self._reading: set[PageCalls] = set()

    @property
    def version(self) -> str | None:
        return self._pipeline.version if self._pipeline else None

    @property
    def fingerprint(self) -> Mapping[str, object] | None:
        packages = installed_versions()
        if packages is None or self.vlm.model is None:
            return None
        settings = self._settings.affecting_results | self._vlm_settings.affecting_results
        return {**packages, "vlm": self.vlm.model, **settings}

    @property
    def state(self) -> EngineState:
        return self._lazy_start.state

    @property
    def vlm(self) -> VlmStatus:
        return self._vlm.status

    async def watch(self) -> None:
        await self._vlm.run()

    async def start(self) -> None:
        await self._lazy_start.ensure()

    async def close(self) -> None:
        await self._lazy_start.cancel()
        for calls in self._reading:
            calls.cancel()
        self._threads.close()
        if self._models is not None:
            self._models.close()
        await self._vlm.close()

    def check(self, options: Options) -> None:
        """Raise ModelNotLoaded or RequestError; `lang` is ignored, as the model detects the language."""
        if options.rotate is not None:
            raise OptionNotSupported(
                "PaddleOCR-VL does not have rotate; it has use_doc_orientation_classify."
            )
        if options.words:
            raise OptionNotSupported("PaddleOCR-VL does not have words; Tesseract does.")
        loaded = self._settings.use_doc_orientation_classify, self._settings.use_doc_unwarping
        check_options(PaddleOcrVlOptions.of(options), *loaded, max_new_tokens(self.vlm.max_length))

    async def recognize(self, page: Page, options: Options) -> PageResult:
        """Read one page; cancellation ends its calls to vLLM at once, and its thread at the next step."""
        queued_at = time.perf_counter()
        await self._vlm.ensure_ready()
        assert self._pipeline is not None and self.vlm.model is not None
        calls = PageCalls(
            self._vlm,
            asyncio.get_running_loop(),
            self._pipeline.encode_crop,
            CallOptions(
                self.vlm.model,
                self._vlm_settings.repetition_detection,
                self._vlm_settings.repetition_retry_penalty,
                max_new_tokens(self.vlm.max_length),
                page.caller,
            ),
            self._cores,
        )
        self._reading.add(calls)
        try:
            pixels = await self._threads.run(self._to_pixels, page)
            index = page.index
            # Most of the time is spent in the VLM; the image is freed meanwhile, since its pixels are enough.
            del page
            return await self._threads.run(self._read, index, pixels, options, calls, queued_at)
        finally:
            self._reading.discard(calls)
            calls.cancel()

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        assert self._pipeline is not None
        try:
            return await asyncio.to_thread(restructure, pages, self._pipeline.official, options)
        except Exception as error:
            # The message of the error may quote the document.
            log.warning("restructuring %d pages failed: %s", len(pages), type(error).__name__)
            failure = type(error).__name__
        raise RecognitionFailed(
            f"The pages were read, but restructuring failed ({failure}); try it without restructure_pages."
        )

    async def _start(self) -> None:
        if self._models is None:
            self._models = ModelThread(f"{self.name}-models")
        self._pipeline = await asyncio.wrap_future(
            self._models.call(build, self._settings, self._vlm_settings, self._models)
        )

    def _to_pixels(self, page: Page) -> Any:
        assert self._pipeline is not None
        with self._cores:
            return self._pipeline.to_bgr(page.image)

    def _read(
        self, index: int, pixels: Any, options: Options, calls: PageCalls, queued_at: float
    ) -> PageResult:
        started = time.perf_counter()
        current.set(calls)
        try:
            with self._cores:
                result = self._predict(calls, index, pixels, options)
        except (OcrError, CancelledError):
            raise
        except Exception as error:
            # The message of the error may quote the page.
            log.warning("page %d failed: %s", index, type(error).__name__)
            raise RecognitionFailed(f"PaddleOCR-VL could not read page {index}.") from error
        return replace(
            result, timings=Timings(queue=started - queued_at, recognize=time.perf_counter() - started)
        )

    def _predict(self, calls: PageCalls, index: int, pixels: Any, options: Options) -> PageResult:
        assert self._pipeline is not None
        [result] = self._pipeline.official.predict(pixels, **predict_options(options))
        if calls.all_failed:
            raise _most_general(calls.failures.values())
        if calls.failures:
            kinds = ", ".join(sorted({error.code for error in calls.failures.values()}))
            log.warning("page %d: %d blocks failed or are incomplete: %s", index, len(calls.failures), kinds)
        page = page_result(index, result, options, calls.failures, self._pipeline.encode_picture)
        if not page.text and not page.failed_blocks:
            # The order of the colours does not matter here.
            page = replace(page, warnings=(*page.warnings, *no_text(Image.fromarray(pixels))))
        if options.visualize:
            page = replace(page, drawings=draw(result, pixels, self._pipeline.encode_drawing))
        if options.word_documents and not options.restructure_pages:
            page = replace(page, docx=word_document(result))
        return page


def _most_general(errors: Collection[OcrError]) -> OcrError:
    return next(error for kind in _MOST_GENERAL_FIRST for error in errors if isinstance(error, kind))
