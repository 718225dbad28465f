"""A page result of the official pipeline → a `PageResult`, which retains the whole original in `raw`."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ocr_service.core.documents import Block, PageResult, PageWarning, WarningCode
from ocr_service.core.errors import IncompleteText, OcrError, Repetition, Truncated
from ocr_service.core.html_text import plain_text
from ocr_service.core.options import Options
from ocr_service.core.quality import with_joint_quality
from ocr_service.engines.paddleocr_vl.block_texts import remove_marks
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.engines.paddleocr_vl.page_calls import Crop
from ocr_service.engines.paddleocr_vl.word_documents import with_images, word_document
from ocr_service.engines.page_warnings import rotated


def page_result(
    index: int,
    result: Any,
    options: Options,
    failures: Mapping[str, OcrError],
    encode: Callable[[Any], Crop],
) -> PageResult:
    """Convert a `PaddleOCRVLResult`.

    failures: errors of blocks, by the mark in the text. encode: an image → a JPEG file.
    """
    failed = remove_marks(result["parsing_res_list"], failures)
    markdown = _to_markdown(result, options)
    images = {path: encode(image).data for path, image in markdown["markdown_images"].items()}
    res = result.json["res"]
    turn = _turn(res)
    warnings = (*((rotated(turn),) if turn else ()), *_warnings(failures.values()))
    page = PageResult(
        index, 0, 0, markdown="", text="", blocks=(), images=images, warnings=warnings, rotation=turn
    )
    return _with_content(page, res, markdown["markdown_texts"], failed)


def restructure(pages: Sequence[PageResult], pipeline: Any, options: Options) -> list[PageResult]:
    """Restructure pages that were read before; failed pages stay as they are.

    Only runs of consecutive pages are restructured together: a table on page 1 cannot continue on page 3.
    """
    if options.concatenate_pages:
        return [_concatenated(pages, pipeline, options)]
    restructured: list[PageResult] = []
    for _, numbered in groupby(enumerate(pages), key=_run_key):
        run = [page for _, page in numbered]
        are_read = all(page.raw is not None for page in run)
        restructured += _restructured(run, pipeline, options) if are_read else run
    return restructured


def _run_key(numbered: tuple[int, PageResult]) -> tuple[bool, int]:
    number, page = numbered
    return page.raw is not None, page.index - number


def _restructured(pages: Sequence[PageResult], pipeline: Any, options: Options) -> list[PageResult]:
    results = _official_results(pages, pipeline, options)
    return [_with_restructured(page, result, options) for page, result in zip(pages, results, strict=True)]


def _concatenated(pages: Sequence[PageResult], pipeline: Any, options: Options) -> PageResult:
    """Merge pages into one; all of them were read without failure."""
    [result] = _official_results(pages, pipeline, options)
    images = {path: image for page in pages for path, image in page.images.items()}
    blocks = tuple(block for page in pages for block in page.blocks)
    joined = with_joint_quality(replace(pages[0], blocks=blocks, images=images), pages)
    return _with_restructured(joined, result, options)


def _official_results(pages: Sequence[PageResult], pipeline: Any, options: Options) -> Iterable[Any]:
    own = PaddleOcrVlOptions.of(options)
    results: Iterable[Any] = pipeline.restructure_pages(
        [{"res": _for_restructuring(page, options)} for page in pages],
        merge_tables=own.merge_tables is not False,
        relevel_titles=own.relevel_titles is not False,
        concatenate_pages=options.concatenate_pages,
    )
    return results


def _with_restructured(page: PageResult, result: Any, options: Options) -> PageResult:
    restructured = _with_content(
        page,
        result.json["res"],
        _to_markdown(result, options)["markdown_texts"],
        {number: block.failure for number, block in enumerate(page.blocks) if block.failure},
    )
    docx = word_document(with_images(result, page.images)) if options.word_documents else None
    return replace(restructured, docx=docx)


def _to_markdown(result: Any, options: Options) -> dict[str, Any]:
    own = PaddleOcrVlOptions.of(options)
    # The official server calls this method, too, because the public property takes no options.
    markdown: dict[str, Any] = result._to_markdown(  # noqa: SLF001
        pretty=own.prettify_markdown is not False,
        show_formula_number=bool(own.show_formula_number),
    )
    return markdown


def _turn(res: Mapping[str, Any]) -> int:
    """Return the degrees counterclockwise by which the page was rotated."""
    # Missing if the page was not preprocessed, -1 if its orientation was not classified.
    return max(0, int(res.get("doc_preprocessor_res", {}).get("angle", -1)))


def _with_content(
    page: PageResult, res: dict[str, Any], markdown: str, failed: Mapping[int, OcrError]
) -> PageResult:
    """Return the page with the content of the official `res`."""
    blocks = tuple(
        Block(
            label=block["block_label"],
            bbox=tuple(block["block_bbox"]),
            content=_content(block["block_content"], failed.get(number)),
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


def _content(content: str, failure: OcrError | None) -> str:
    if failure is None or isinstance(failure, IncompleteText) or "<img" in content:
        return content
    # Without its text, the rest of a block is useless, except the image of a table.
    return ""


def _warnings(failures: Iterable[OcrError]) -> Iterator[PageWarning]:
    kinds = set(map(type, failures))
    if Truncated in kinds:
        yield PageWarning(WarningCode.TRUNCATED, "The text of a block reached the limit of tokens.")
    if Repetition in kinds:
        yield PageWarning(WarningCode.REPETITION, "The VLM repeated itself in a block.")


def _for_restructuring(page: PageResult, options: Options) -> dict[str, Any]:
    assert page.raw is not None
    res = copy.deepcopy(dict(page.raw))
    # `predict_options` leaves it out, so that it is not done twice.
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
