"""An engine whose pages have the results that a test writes, each when its gate opens."""

from dataclasses import replace

from ocr_service.core.documents import Block, Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.gated_engine import GatedEngine

_LINE = 60


class WrittenEngine(GatedEngine):
    """pages: by the number of the page, the label, Markdown and text of its blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[int, PageResult] = {}

    def write(self, index: int, *blocks: tuple[str, str, str], **values: object) -> None:
        """Write the result of a page, and open its gate. values: of the PageResult."""
        boxes = [(10, 10 + _LINE * place, 300, 50 + _LINE * place) for place in range(len(blocks))]
        made = tuple(
            Block(label, box, content, order, confidence=0.9)
            for order, ((label, _, content), box) in enumerate(zip(blocks, boxes, strict=True), 1)
        )
        markdown = "\n\n".join(markdown for _, markdown, _ in blocks)
        text = "\n\n".join(content for _, _, content in blocks)
        self.pages[index] = replace(PageResult(index, 0, 0, markdown, text, made), **values)  # type: ignore[arg-type]
        self.open(index)

    async def recognize(self, page: Page, options: Options) -> PageResult:
        scripted = await super().recognize(page, options)
        written = self.pages.get(page.index, scripted)
        return replace(written, width=page.image.width, height=page.image.height)
