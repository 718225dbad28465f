"""An engine that returns a fixed text for each page at once, so that HTTP tests need no recognition."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ocr_service.core.documents import Block, ImageMode, Page, PageResult
from ocr_service.core.engine import EngineState, VlmStatus
from ocr_service.core.errors import LanguageNotInstalled
from ocr_service.core.options import Options, TextLayerUse


class ScriptedEngine:
    name = "scripted"
    title = "Scripted"
    version: str | None = "1.2.3"
    resolution = 72
    image_mode: ImageMode = "L"
    max_page_side = 60_000
    max_pages_in_flight = 4
    job_pages = 2
    starts_early = False
    default_text_layer = TextLayerUse.NEVER
    checks_text_layer = False
    finds_words = True
    fingerprint: Mapping[str, object] | None = MappingProxyType({"script": 1})

    def __init__(self) -> None:
        self.state = EngineState.READY
        self.seen: list[Page] = []
        self.options: list[Options] = []
        self.closed = False
        self.vlm = VlmStatus()

    async def watch(self) -> None:
        return None

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True

    def check(self, options: Options) -> None:
        if options.lang == "tlh":
            raise LanguageNotInstalled("Not installed: tlh. Installed: eng, rus.")

    async def recognize(self, page: Page, options: Options) -> PageResult:
        self.seen.append(page)
        self.options.append(options)
        text = f"page {page.index}"
        block = Block("text", (1, 2, 3, 4), text, order=1, confidence=0.5)
        return PageResult(page.index, *page.image.size, markdown=f"**{text}**", text=text, blocks=(block,))

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        merged = [replace(page, markdown=f"{page.markdown} of {len(pages)}") for page in pages]
        return merged[:1] if options.concatenate_pages else merged
