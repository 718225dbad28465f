"""The steps of `POST /restructure-pages` that handle its values; each runs in the thread for large bodies.

A body can have as many values as 300 pages. A call of C that handles or releases all of them would hold the
interpreter lock, and nothing else would run. So pages, blocks and objects are handled one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocr_service.api.answers.layout_parsing import LayoutParsingResult, in_base64, restructured_json
from ocr_service.api.answers.pruned_result import restored_page
from ocr_service.api.requests.layout_fields import RestructurePagesRequest, SentPage, validated
from ocr_service.api.requests.long_strings import LongStrings, decode_base64
from ocr_service.core.documents import Block, PageResult
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions

_PAGES = "pages"


@dataclass(frozen=True, slots=True)
class Restored:
    """A page that was read before. images: those of its Markdown, as they were sent."""

    page: PageResult
    images: Mapping[str, str]


def fields_and_pages(value: Any) -> tuple[RestructurePagesRequest, list[Any]]:
    """Return the fields of a request without its pages, and the pages as sent; raises RequestError."""
    pages = value.get(_PAGES) if isinstance(value, dict) else None
    if not isinstance(pages, list):
        return validated(RestructurePagesRequest, value), []
    return validated(RestructurePagesRequest, {**value, _PAGES: []}), pages


def options_of(fields: RestructurePagesRequest) -> Options:
    """Return the options for the engine, without defaults."""
    return Options(
        concatenate_pages=fields.concatenate_pages,
        word_documents=bool(fields.output_formats),
        engine=PaddleOcrVlOptions(
            merge_tables=fields.merge_tables and None,
            relevel_titles=fields.relevel_titles and None,
            prettify_markdown=fields.prettify_markdown and None,
            show_formula_number=fields.show_formula_number or None,
        ),
    )


def restored(pages: Sequence[Any], strings: LongStrings, with_images: bool) -> list[Restored]:
    """Check the pages as sent, and return them; raises RequestError.

    with_images: decode their images, which only a Word document needs.
    """
    return [_restored(number, page, strings, with_images) for number, page in enumerate(pages, start=1)]


def answer_parts(
    log_id: str, fields: RestructurePagesRequest, sent: Sequence[Restored], pages: Sequence[PageResult]
) -> Iterator[bytes]:
    """Yield the JSON of the answer in parts, with the images exactly as they were sent."""
    images = [page.images for page in sent]
    if fields.concatenate_pages and pages:
        images = [{path: image for each in images for path, image in each.items()}]
    results = (
        LayoutParsingResult.of(page, its if fields.return_markdown_images else None, in_base64(page.drawings))
        for page, its in zip(pages, images, strict=True)
    )
    return restructured_json(log_id, results)


def _restored(number: int, value: Any, strings: LongStrings, with_images: bool) -> Restored:
    sent = validated(SentPage, value, (_PAGES, number - 1))
    pruned = strings.restore(sent.pruned_result.as_sent())
    blocks = [
        Block(block["block_label"], tuple(block["block_bbox"]), block["block_content"], order)
        for order, block in enumerate(pruned["parsing_res_list"], start=1)
    ]
    images = {path: strings.content(text) for path, text in (sent.markdown_images or {}).items()}
    decoded = {path: decode_base64(image) for path, image in images.items()} if with_images else {}
    return Restored(
        restored_page(number, pruned, blocks, decoded),
        {path: str(image, "utf-8") for path, image in images.items()},
    )
