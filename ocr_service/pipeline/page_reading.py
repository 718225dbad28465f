"""One page of a document → its result: by the engine, or from the text that a PDF itself holds."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from ocr_service.admission.page_queue import PageSlot
from ocr_service.core.documents import Page, PageResult, PageWarning, Timings, WarningCode
from ocr_service.core.engine import Engine
from ocr_service.core.errors import NoTextLayer
from ocr_service.core.options import Options, TextLayerUse
from ocr_service.decoding.text_layer.values import TextLayer
from ocr_service.layout.drawings import draw
from ocr_service.pipeline.picture_texts import with_picture_texts
from ocr_service.pipeline.text_comparison import compared
from ocr_service.pipeline.text_results import result_of
from ocr_service.telemetry import tracing

_PICTURES = PageWarning(
    WarningCode.PICTURES_NOT_READ,
    "The page has pictures or form fields; text in them is not in the text layer and was not read.",
)


class ReadablePages(Protocol):
    """The pages of an open document; see `decoding.Document`."""

    async def page(self, index: int, slot: PageSlot) -> Page:
        """Decode a page; raises PageError."""

    async def text_layer(self, index: int) -> TextLayer | None:
        """Return the text that the file itself holds for a page; raises PageError."""


class PageReading:
    """Reads the pages of one document; `text_layer` of the options, or of the engine, says from where."""

    def __init__(self, document: ReadablePages, options: Options, engine: Engine) -> None:
        self._document = document
        self._options = options
        self._engine = engine
        self._use = options.text_layer or engine.default_text_layer

    async def read(self, index: int, slot: PageSlot) -> PageResult:
        """Read page `index`, from 1; raises PageError or EngineError.

        slot: given back while the page takes long to decode.
        """
        if self._use is TextLayerUse.NEVER:
            result = await self._recognized(index, slot)
            return await self._checked(result) if self._engine.checks_text_layer else result
        began = time.perf_counter()
        with tracing.span("text_layer"):
            layer = await self._document.text_layer(index)
        spent = Timings(decode=time.perf_counter() - began)
        if self._use is TextLayerUse.ONLY:
            result = await self._only(index, layer, slot)
        elif layer is not None and layer.is_usable and not self._options.needs_recognition:
            result = await self._from(index, layer, slot)
        else:
            result = await self._recognized(index, slot)
        return replace(result, timings=result.timings + spent)

    async def _recognized(self, index: int, slot: PageSlot) -> PageResult:
        """Read the page with the engine."""
        page, spent = await self._decoded(index, slot)
        decoded, warnings, without_text = page.image.size, page.warnings, page.without_text
        recognizing = self._engine.recognize(page, self._options)
        # The engine may release the image long before it has the text.
        del page
        with tracing.span("recognize"):
            result = await recognizing
        found = {warning.code for warning in result.warnings}
        if not result.text and not result.failed_blocks:
            warnings += tuple(warning for warning in without_text if warning.code not in found)
        return replace(
            result,
            decoded=decoded,
            warnings=(*warnings, *result.warnings),
            timings=result.timings + spent,
        )

    async def _decoded(self, index: int, slot: PageSlot) -> tuple[Page, Timings]:
        began = time.perf_counter()
        with tracing.span("decode"):
            page = await self._document.page(index, slot)
        return page, Timings(decode=time.perf_counter() - began)

    async def _checked(self, result: PageResult) -> PageResult:
        """Add a warning if the text differs much from a good text layer."""
        with tracing.span("text_layer"):
            layer = await self._document.text_layer(result.index)
        return result if layer is None else await asyncio.to_thread(compared, result, layer)

    async def _only(self, index: int, layer: TextLayer | None, slot: PageSlot) -> PageResult:
        if layer is None or not (layer.blocks or layer.is_blank):
            raise NoTextLayer(f"Page {index} has no text layer.")
        result = await self._drawn(await self._result(index, layer), slot)
        return _with_warnings(result, (_PICTURES,)) if layer.pictures else result

    async def _from(self, index: int, layer: TextLayer, slot: PageSlot) -> PageResult:
        """Return the text layer, with the text of the pictures, which the engine reads."""
        result = await self._result(index, layer)
        if not layer.pictures:
            return await self._drawn(result, slot)
        page, spent = await self._decoded(index, slot)
        with tracing.span("recognize"):
            result = await with_picture_texts(result, self._engine, page, layer, self._options)
        if self._options.visualize:
            result = replace(result, drawings=await asyncio.to_thread(draw, page.image, result.blocks))
        return replace(result, timings=result.timings + spent)

    async def _result(self, index: int, layer: TextLayer) -> PageResult:
        return await asyncio.to_thread(result_of, index, layer, self._options)

    async def _drawn(self, result: PageResult, slot: PageSlot) -> PageResult:
        """Draw the blocks, if the request wants this."""
        if not self._options.visualize:
            return result
        page, spent = await self._decoded(result.index, slot)
        drawings = await asyncio.to_thread(draw, page.image, result.blocks)
        return replace(result, drawings=drawings, timings=result.timings + spent)


def _with_warnings(result: PageResult, warnings: Sequence[PageWarning]) -> PageResult:
    return replace(result, warnings=(*result.warnings, *warnings))
