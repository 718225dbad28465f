"""Tesseract as an `Engine`: threads, languages, and the recognition of one page."""

import asyncio
import importlib
import logging
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from ocr_service.core.documents import ImageMode, Page, PageResult, PageWarning, Timings, WarningCode
from ocr_service.core.engine import EngineState, VlmStatus
from ocr_service.core.errors import (
    EngineUnavailable,
    LanguageNotInstalled,
    OptionNotSupported,
    RecognitionFailed,
)
from ocr_service.core.options import Options
from ocr_service.core.quality import with_joint_quality
from ocr_service.engines import TESSERACT
from ocr_service.engines.lazy_start import LazyStart
from ocr_service.engines.page_warnings import no_text
from ocr_service.engines.tesseract.drawings import draw
from ocr_service.engines.tesseract.languages import (
    check_installed,
    find_tessdata,
    languages_in,
    tesseract_names,
)
from ocr_service.engines.tesseract.settings import TesseractSettings
from ocr_service.engines.tesseract.words import lines_of
from ocr_service.layout.markdown import to_markdown
from ocr_service.layout.words import Line, mean_confidence
from ocr_service.runtime.cores import usable_cores
from ocr_service.runtime.native_messages import silence_leptonica
from ocr_service.runtime.threads import Workers

log = logging.getLogger(__name__)

# Decoded pages that wait, so that a thread that finishes a page has the next one at once.
_DECODED_AHEAD = 1
# Measured on 60 degraded pages: with an error in 25 characters or fewer, the confidence was at least 0.77;
# upside down, sideways, mirrored or too blurred, at most 0.60.
_LOW_CONFIDENCE = 0.75


class TesseractEngine:
    """Reads pages on threads, each with its own Tesseract instance.

    page_seconds: time limit of one page. Recognition cannot be cancelled earlier; after this time, every
    request has timed out.
    """

    name = TESSERACT
    title = "Tesseract"
    resolution = 300
    image_mode: ImageMode = "L"
    # Tesseract holds coordinates in 16 bits.
    max_page_side = 32_767
    starts_early = True

    def __init__(self, settings: TesseractSettings, page_seconds: float) -> None:
        self._default_lang = settings.lang
        self._threads = settings.threads or usable_cores()
        self._tessdata = settings.tessdata_dir
        self._page_milliseconds = math.ceil(page_seconds * 1000)
        self._lazy_start = LazyStart(self.title, self._start)
        self._workers = Workers(self._threads, self.name)
        self._local = threading.local()
        self._tesserocr: ModuleType | None = None
        self._pixels: ModuleType | None = None
        self._languages: frozenset[str] = frozenset()
        # Name and size of each file of language data: a language exists in several variants.
        self._data: list[tuple[str, int]] = []
        self.version: str | None = None

    @property
    def state(self) -> EngineState:
        return self._lazy_start.state

    @property
    def fingerprint(self) -> Mapping[str, object] | None:
        if self.version is None:
            return None
        return {"tesseract": self.version, "default_lang": self._default_lang, "data": self._data}

    @property
    def max_pages_in_flight(self) -> int:
        return self._threads + _DECODED_AHEAD

    @property
    def job_pages(self) -> int:
        return max(1, self._threads // 2)

    @property
    def vlm(self) -> VlmStatus:
        return VlmStatus()

    async def watch(self) -> None:
        """Return at once: the engine needs nothing outside this process."""

    async def start(self) -> None:
        await self._lazy_start.ensure()

    async def close(self) -> None:
        await self._lazy_start.cancel()
        self._workers.close()

    def check(self, options: Options) -> None:
        """Raise OptionNotSupported, or LanguageNotInstalled with the list of installed languages."""
        if unsupported := _unsupported(options):
            raise OptionNotSupported(f"Tesseract does not have {', '.join(unsupported)}; PaddleOCR-VL does.")
        check_installed(self._lang(options), self._languages)

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Write the Markdown again; with `concatenate_pages`, return all pages as one."""
        self.check(options)
        rewritten = [
            replace(page, markdown=to_markdown(page.blocks, options.markdown_ignore_labels)) for page in pages
        ]
        return [_concatenated(rewritten)] if options.concatenate_pages else rewritten

    async def recognize(self, page: Page, options: Options) -> PageResult:
        """Read one page; if the caller is cancelled while the page waits for a thread, it is dropped."""
        return await self._workers.run(self._read, page, options, time.perf_counter())

    def _lang(self, options: Options) -> str:
        lang = self._default_lang if options.lang is None else options.lang
        return tesseract_names(lang, self._languages)

    async def _start(self) -> None:
        await asyncio.to_thread(self._load)
        try:
            self.check(Options())
        except LanguageNotInstalled as error:
            # Requests that name other languages still work.
            log.warning("OCR_LANG: %s", error)

    def _load(self) -> None:
        try:
            self._tesserocr = importlib.import_module("tesserocr")
        except ImportError as error:
            raise EngineUnavailable(f"Tesseract is not installed: {error}.") from error
        self._pixels = importlib.import_module("ocr_service.layout.pixels")
        silence_leptonica(importlib.import_module("tesserocr.tesserocr"))
        self._tessdata = self._tessdata or find_tessdata()
        self._languages = languages_in(self._tessdata)
        self._data = sorted((file.name, file.stat().st_size) for file in self._tessdata.glob("*.traineddata"))
        self.version = self._tesserocr.tesseract_version().split()[1]

    def _read(self, page: Page, options: Options, queued_at: float) -> PageResult:
        started = time.perf_counter()
        api = self._api(self._lang(options))
        try:
            lines = self._recognize(api, page)
        except RuntimeError as error:
            raise RecognitionFailed(f"Tesseract could not read page {page.index}.") from error
        finally:
            api.Clear()
        assert self._pixels is not None
        layout = self._pixels.compose_picture(lines, page.image)
        confidence = mean_confidence(lines)
        drawings = draw(page.image, layout.blocks) if options.visualize else {}
        return PageResult(
            index=page.index,
            width=page.image.width,
            height=page.image.height,
            markdown=to_markdown(layout.blocks, options.markdown_ignore_labels),
            text=layout.text,
            blocks=layout.blocks,
            confidence=confidence,
            warnings=_warnings(page, confidence),
            drawings=drawings,
            timings=Timings(queue=started - queued_at, recognize=time.perf_counter() - started),
        )

    def _api(self, lang: str) -> Any:
        """Return this thread's Tesseract, set to `lang`; loading another language takes about 0.1 s."""
        assert self._tesserocr is not None
        if getattr(self._local, "lang", None) != lang:
            self._local.lang = None
            try:
                self._local.api = self._tesserocr.PyTessBaseAPI(f"{self._tessdata}/", lang)
            except RuntimeError as error:
                raise EngineUnavailable(f"The language data of {lang} cannot be loaded.") from error
            # Without this, Tesseract writes remarks on each page to standard error.
            self._local.api.SetVariable("debug_file", os.devnull)
            self._local.lang = lang
        return self._local.api

    def _recognize(self, api: Any, page: Page) -> list[Line]:
        width, height = page.image.size
        api.SetImageBytes(page.image.tobytes(), width, height, 1, width)
        api.SetSourceResolution(page.resolution or 0)
        if not api.Recognize(self._page_milliseconds):
            raise RecognitionFailed(f"Tesseract could not read page {page.index}, or not in time.")
        assert self._tesserocr is not None
        return lines_of(api, self._tesserocr)


def _warnings(page: Page, confidence: float | None) -> tuple[PageWarning, ...]:
    """Return the warnings of a page that was read; confidence: None if there is no text."""
    if confidence is None:
        return no_text(page.image)
    if confidence >= _LOW_CONFIDENCE:
        return ()
    detail = "The confidence is low: the text may be wrong, for example because the page lies sideways."
    return (PageWarning(WarningCode.LOW_CONFIDENCE, detail),)


def _unsupported(options: Options) -> list[str]:
    """Return the names of the options that only another engine has."""
    common = [name for name in ("word_documents", "restructure_pages") if getattr(options, name)]
    of_engine = options.engine.changed if options.engine else ()
    return [*common, *(name for name in of_engine if name != "markdown_ignore_labels")]


def _concatenated(pages: Sequence[PageResult]) -> PageResult:
    blocks = [block for page in pages for block in page.blocks]
    ordered = tuple(replace(block, order=number) for number, block in enumerate(blocks, start=1))
    return replace(
        with_joint_quality(pages[0], pages),
        markdown="\n\n".join(filter(None, (page.markdown for page in pages))),
        blocks=ordered,
        raw=None,
    )
