"""Tesseract as an `Engine`: processes, languages, and the recognition of one page."""

import asyncio
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ocr_service.core.documents import ImageMode, Page, PageResult
from ocr_service.core.engine import EngineState, VlmStatus
from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled, OptionNotSupported
from ocr_service.core.options import Options, TextLayerUse
from ocr_service.core.quality import with_joint_quality
from ocr_service.engines import TESSERACT
from ocr_service.engines.lazy_start import LazyStart
from ocr_service.engines.tesseract.languages import (
    check_installed,
    find_tessdata,
    languages_in,
    tesseract_names,
)
from ocr_service.engines.tesseract.page_reader import PageReader
from ocr_service.engines.tesseract.settings import TesseractSettings
from ocr_service.layout.markdown import to_markdown
from ocr_service.runtime.cores import usable_cores

log = logging.getLogger(__name__)

# Decoded pages that wait, so that a process that finishes a page has the next one at once.
_DECODED_AHEAD = 1


class TesseractEngine:
    """Reads pages in processes. A process whose page nobody waits for any more is killed.

    page_seconds: time limit of one page.
    """

    name = TESSERACT
    title = "Tesseract"
    resolution = 300
    image_mode: ImageMode = "L"
    # Tesseract holds coordinates in 16 bits.
    max_page_side = 32_767
    starts_early = True
    default_text_layer = TextLayerUse.AUTO
    checks_text_layer = False
    finds_words = True

    def __init__(self, settings: TesseractSettings, page_seconds: float) -> None:
        self._default_lang = settings.lang
        self._at_once = settings.threads or usable_cores()
        self._tessdata = settings.tessdata_dir
        self._page_seconds = page_seconds
        self._lazy_start = LazyStart(self.title, self._start)
        self._reader: PageReader | None = None
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
        return self._at_once + _DECODED_AHEAD

    @property
    def job_pages(self) -> int:
        return max(1, self._at_once // 2)

    @property
    def vlm(self) -> VlmStatus:
        return VlmStatus()

    async def watch(self) -> None:
        """Return at once: the engine needs nothing outside this process."""

    async def start(self) -> None:
        await self._lazy_start.ensure()

    async def close(self) -> None:
        await self._lazy_start.cancel()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.stop)

    def check(self, options: Options) -> None:
        """Raise OptionNotSupported, or LanguageNotInstalled with the list of installed languages."""
        if unsupported := _unsupported(options):
            raise OptionNotSupported(f"Tesseract does not have {', '.join(unsupported)}; PaddleOCR-VL does.")
        check_installed(self._lang(options), self._languages)

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Write the Markdown again; with `concatenate_pages`, return all pages as one."""
        self.check(options)
        return await asyncio.to_thread(_rewritten, pages, options)

    async def recognize(self, page: Page, options: Options) -> PageResult:
        assert self._reader is not None
        return await self._reader.read(page, self._lang(options), options)

    def _lang(self, options: Options) -> str:
        lang = self._default_lang if options.lang is None else options.lang
        return tesseract_names(lang, self._languages)

    async def _start(self) -> None:
        if importlib.util.find_spec("tesserocr") is None:
            raise EngineUnavailable("Tesseract is not installed: the package tesserocr is missing.")
        tessdata = await asyncio.to_thread(self._find_languages)
        reader = PageReader(tessdata, self._lang(Options()), self._at_once, self._page_seconds)
        try:
            self.version = await reader.version()
        except BaseException:
            await asyncio.to_thread(reader.stop)
            raise
        self._reader = reader
        try:
            self.check(Options())
        except LanguageNotInstalled as error:
            # Requests that name other languages still work.
            log.warning("OCR_LANG: %s", error)

    def _find_languages(self) -> Path:
        """Return the folder with the language data; raises EngineUnavailable."""
        tessdata = self._tessdata or find_tessdata()
        self._languages = languages_in(tessdata)
        self._data = sorted((file.name, file.stat().st_size) for file in tessdata.glob("*.traineddata"))
        return tessdata


def _unsupported(options: Options) -> list[str]:
    """Return the names of the options that only another engine has."""
    common = [name for name in ("word_documents", "restructure_pages") if getattr(options, name)]
    of_engine = options.engine.changed if options.engine else ()
    return [*common, *(name for name in of_engine if name != "markdown_ignore_labels")]


def _rewritten(pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
    pages = [
        replace(page, markdown=to_markdown(page.blocks, options.markdown_ignore_labels)) for page in pages
    ]
    return [_concatenated(pages)] if options.concatenate_pages else pages


def _concatenated(pages: Sequence[PageResult]) -> PageResult:
    blocks = [block for page in pages for block in page.blocks]
    ordered = tuple(replace(block, order=number) for number, block in enumerate(blocks, start=1))
    return replace(
        with_joint_quality(pages[0], pages),
        markdown="\n\n".join(filter(None, (page.markdown for page in pages))),
        blocks=ordered,
        raw=None,
    )
