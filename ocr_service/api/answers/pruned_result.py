"""`prunedResult`: the results of a page in the answers of PaddleX, and the page they become again."""

from collections.abc import Mapping, Sequence
from typing import Any

from ocr_service.api.answers.blocks import ErrorAnswer
from ocr_service.api.answers.document import page_error
from ocr_service.api.answers.warnings import WarningAnswer
from ocr_service.core.documents import Block, PageResult, PageWarning, TextSource, WarningCode

_NOT_IN_ANSWERS = {"input_path", "page_index"}
# For pages of other engines, which have no `layout_det_res` and no `doc_preprocessor_res`.
MODEL_SETTINGS = {"use_doc_preprocessor": False, "use_layout_detection": False}


def pruned_result(page: PageResult) -> dict[str, Any]:
    """Return the results of the engine for a page, without the path of its file."""
    pruned: dict[str, Any] = _without(page.raw, _NOT_IN_ANSWERS) if page.raw else _as_paddlex(page)
    pruned |= quality_of(page)
    blocks = {str(number): ErrorAnswer.of(block.failure) for number, block in enumerate(page.blocks)}
    if errors := {number: error.model_dump() for number, error in blocks.items() if error}:
        pruned["errors"] = errors
    return pruned


def quality_of(page: PageResult) -> dict[str, Any]:
    """Return how well a page was read, and whether text of it is missing; what is unknown is left out."""
    quality: dict[str, Any] = {}
    if page.confidence is not None:
        quality["confidence"] = page.confidence
    if page.source is not TextSource.OCR:
        quality["source"] = page.source
    if page.warnings:
        quality["warnings"] = [WarningAnswer.of(warning).model_dump() for warning in page.warnings]
    if error := ErrorAnswer.of(page_error(page)):
        quality["error"] = error.model_dump()
    return quality


def restored_page(
    number: int, pruned: Mapping[str, Any], blocks: Sequence[Block], images: Mapping[str, bytes]
) -> PageResult:
    """Return a page made from the `prunedResult` of an earlier answer."""
    # Without the image of a block: it would be a path that the client chooses.
    listed = [_without(block, {"image"}) for block in pruned["parsing_res_list"]]
    raw = {**pruned, "input_path": None, "page_index": None, "parsing_res_list": listed}
    size = pruned["width"], pruned["height"]
    warnings = _restored_warnings(pruned.get("warnings"))
    return PageResult(
        number,
        *size,
        markdown="",
        text="",
        blocks=tuple(blocks),
        warnings=warnings,
        images=images,
        raw=raw,
    )


def _restored_warnings(sent: Any) -> tuple[PageWarning, ...]:
    """Return the warnings of an earlier answer; none if a client sends something else."""
    try:
        return tuple(PageWarning(WarningCode(each["code"]), str(each["detail"])) for each in sent)
    except (LookupError, TypeError, ValueError):
        return ()


def _as_paddlex(page: PageResult) -> dict[str, Any]:
    blocks = [
        {
            "block_label": block.label,
            "block_content": block.content,
            "block_bbox": list(block.bbox),
            "block_id": number,
            "block_order": block.order,
            "group_id": number,
        }
        for number, block in enumerate(page.blocks)
    ]
    size = {"page_count": None, "width": page.width, "height": page.height}
    return {**size, "model_settings": dict(MODEL_SETTINGS), "parsing_res_list": blocks}


def _without(value: Any, names: set[str]) -> Any:
    """Remove the names from the objects in a value of JSON; lists without objects are not copied."""
    if isinstance(value, dict):
        return {name: _without(part, names) for name, part in value.items() if name not in names}
    if isinstance(value, list) and dict in map(type, value):
        return [_without(part, names) for part in value]
    return value
