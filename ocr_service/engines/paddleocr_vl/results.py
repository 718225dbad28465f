"""The official pipeline's result of a page → ours, with all that it says kept."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby
from typing import Any

from ocr_service.core.documents import Block, PageResult
from ocr_service.core.errors import OcrError
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.engines.paddleocr_vl.page_calls import Crop
from ocr_service.engines.paddleocr_vl.word import illustrated, word_document


def page_result(
    index: int,
    result: Any,
    options: Options,
    failures: Mapping[str, OcrError],
    encode: Callable[[Any], Crop],
) -> PageResult:
    """Turn a `PaddleOCRVLResult` into a page.

    failures: why blocks have no text, by the mark that stands in its place. encode: a picture → a JPEG file.
    """
    failed = _clear_marks(result["parsing_res_list"], failures)
    markdown = _to_markdown(result, options)
    pictures = {path: encode(image).data for path, image in markdown["markdown_images"].items()}
    page = PageResult(index, 0, 0, markdown="", text="", blocks=(), images=pictures)
    return _said_by(page, result.json["res"], markdown["markdown_texts"], failed)


def restructured(pages: Sequence[PageResult], pipeline: Any, options: Options) -> list[PageResult]:
    """Let the official pipeline look at pages that were read before; what could not be read stays apart.

    Pages that are not neighbours in the document are none here: a table does not go on from 1 to 3.
    """
    if options.concatenate_pages:
        return [_concatenated(pages, pipeline, options)]
    again: list[PageResult] = []
    for _, run in groupby(enumerate(pages), key=_place_in_run):
        neighbours = [page for _, page in run]
        read = all(page.raw is not None for page in neighbours)
        again += _restructured(neighbours, pipeline, options) if read else neighbours
    return again


def _place_in_run(numbered: tuple[int, PageResult]) -> tuple[bool, int]:
    number, page = numbered
    return page.raw is not None, page.index - number


def _restructured(pages: Sequence[PageResult], pipeline: Any, options: Options) -> list[PageResult]:
    results = _restructure(pages, pipeline, options)
    return [_said_again(page, result, options) for page, result in zip(pages, results, strict=True)]


def _concatenated(pages: Sequence[PageResult], pipeline: Any, options: Options) -> PageResult:
    """Make one page of pages that were all read."""
    [result] = _restructure(pages, pipeline, options)
    images = {path: image for page in pages for path, image in page.images.items()}
    blocks = tuple(block for page in pages for block in page.blocks)
    return _said_again(replace(pages[0], blocks=blocks, images=images), result, options)


def _restructure(pages: Sequence[PageResult], pipeline: Any, options: Options) -> Iterable[Any]:
    own = PaddleOcrVlOptions.of(options)
    results: Iterable[Any] = pipeline.restructure_pages(
        [{"res": _for_restructuring(page, options)} for page in pages],
        merge_tables=own.merge_tables is not False,
        relevel_titles=own.relevel_titles is not False,
        concatenate_pages=options.concatenate_pages,
    )
    return results


def _said_again(page: PageResult, result: Any, options: Options) -> PageResult:
    said = _said_by(
        page,
        result.json["res"],
        _to_markdown(result, options)["markdown_texts"],
        {number: block.failure for number, block in enumerate(page.blocks) if block.failure},
    )
    docx = word_document(illustrated(result, page.images)) if options.word_documents else None
    return replace(said, docx=docx)


def plain_text(content: str) -> str:
    """Return a block's content without HTML: a table's cells between tabs, its rows on lines."""
    if "<" not in content:
        return content
    reader = _PlainText()
    reader.feed(content)
    reader.close()
    return reader.text()


def _to_markdown(result: Any, options: Options) -> dict[str, Any]:
    own = PaddleOcrVlOptions.of(options)
    # The official server calls this method, too: the public property takes no options.
    markdown: dict[str, Any] = result._to_markdown(  # noqa: SLF001
        pretty=own.prettify_markdown is not False,
        show_formula_number=bool(own.show_formula_number),
    )
    return markdown


def _clear_marks(parsed: list[Any], failures: Mapping[str, OcrError]) -> dict[int, OcrError]:
    """Empty the blocks of the marks that stand in them; return what failed, by the block's place."""
    failed: dict[int, OcrError] = {}
    for number, block in enumerate(parsed):
        for mark, error in failures.items():
            if mark in block.content:
                block.content = block.content.replace(mark, "")
                failed[number] = error
    return failed


def _said_by(
    page: PageResult, res: dict[str, Any], markdown: str, failed: Mapping[int, OcrError]
) -> PageResult:
    """Return the page with all that the official `res` says of it."""
    blocks = tuple(
        Block(
            label=block["block_label"],
            bbox=tuple(block["block_bbox"]),
            content=_content(block["block_content"], number in failed),
            order=number + 1,
            failure=failed.get(number),
        )
        for number, block in enumerate(res["parsing_res_list"])
    )
    texts = (plain_text(block.content) for block in blocks)
    return replace(
        page,
        width=res["width"],
        height=res["height"],
        markdown=markdown,
        text="\n\n".join(text for text in texts if text),
        blocks=blocks,
        raw=res,
    )


def _content(content: str, failed: bool) -> str:
    # What stands around a text that is missing is of no use, but a table's picture is.
    return "" if failed and "<img" not in content else content


def _for_restructuring(page: PageResult, options: Options) -> dict[str, Any]:
    assert page.raw is not None
    res = copy.deepcopy(dict(page.raw))
    # Left out while the page was read, so that it is not done twice.
    res["model_settings"].setdefault("format_block_content", False)
    format_content = PaddleOcrVlOptions.of(options).format_block_content
    if format_content is not None:
        res["model_settings"]["format_block_content"] = format_content
    for block in res["parsing_res_list"]:
        left, top, right, bottom = block["block_bbox"]
        path = f"imgs/img_in_{block['block_label']}_box_{left}_{top}_{right}_{bottom}.jpg"
        if path in page.images:
            block["image"] = {"path": path, "img": None}
    return res


class _PlainText(HTMLParser):
    """Collects the text between tags."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._parts.append("\t")
        elif tag in ("tr", "p", "div"):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def text(self) -> str:
        lines = "".join(self._parts).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip()
