"""Options of recognition that a request may choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

PromptLabel = Literal["ocr", "formula", "table", "chart", "spotting", "seal"]
ShapeMode = Literal["rect", "quad", "poly", "auto"]
MergeMode = Literal["large", "small", "union"]

# What its pipeline does where it is not told; it leaves off what is not named here.
_PADDLEOCR_VL_DEFAULTS: Mapping[str, object] = {
    "use_layout_detection": True,
    "layout_nms": True,
    "layout_shape_mode": "auto",
    "merge_layout_blocks": True,
    "prettify_markdown": True,
    "merge_tables": True,
    "relevel_titles": True,
}
# The options that are not PaddleOCR-VL's alone.
_EVERY_ENGINES = {"lang", "visualize", "concatenate_pages"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may choose about recognition; None leaves it to the engine.

    An engine refuses what it cannot do. All but the first three are PaddleOCR-VL's own, under the names and
    with the meanings of its `predict` and `restructure_pages`.

    lang: language names joined by "+".
    visualize: draw what was found: `PageResult.drawings`.
    word_documents: make one of each page: `PageResult.docx`.
    layout_threshold: least score of a layout box, 0 to 1, for all labels or by label number.
    layout_unclip_ratio: factor on a box's width and height: one, a pair, or a pair by label number.
    layout_merge_bboxes_mode: which of two nested boxes stays, for all labels or by label number.
    prompt_label: what the whole page is, where use_layout_detection is False.
    min_pixels, max_pixels: to which the VLM scales a block's picture.
    max_new_tokens: most tokens that the VLM writes for one block.
    vlm_extra_args: pixel limits by kind of block, such as table_max_pixels.
    restructure_pages: look at all pages together once they are read: merge_tables, relevel_titles.
    concatenate_pages: where pages are restructured, make one of them all.
    """

    lang: str | None = None
    visualize: bool | None = None
    word_documents: bool | None = None
    use_doc_orientation_classify: bool | None = None
    use_doc_unwarping: bool | None = None
    use_layout_detection: bool | None = None
    use_chart_recognition: bool | None = None
    use_seal_recognition: bool | None = None
    use_ocr_for_image_block: bool | None = None
    layout_threshold: float | Mapping[int, float] | None = None
    layout_nms: bool | None = None
    layout_unclip_ratio: float | tuple[float, float] | Mapping[int, tuple[float, float]] | None = None
    layout_merge_bboxes_mode: MergeMode | Mapping[int, MergeMode] | None = None
    layout_shape_mode: ShapeMode | None = None
    merge_layout_blocks: bool | None = None
    prompt_label: PromptLabel | None = None
    format_block_content: bool | None = None
    markdown_ignore_labels: tuple[str, ...] | None = None
    prettify_markdown: bool | None = None
    show_formula_number: bool | None = None
    repetition_penalty: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    max_new_tokens: int | None = None
    vlm_extra_args: Mapping[str, int] | None = None
    restructure_pages: bool | None = None
    merge_tables: bool | None = None
    relevel_titles: bool | None = None
    concatenate_pages: bool | None = None

    @property
    def asked_of_paddleocr_vl(self) -> Sequence[str]:
        """Names of the options that change something and that PaddleOCR-VL alone has."""
        names = (field.name for field in fields(self) if field.name not in _EVERY_ENGINES)
        given = ((name, getattr(self, name)) for name in names)
        return [name for name, value in given if value not in (None, _PADDLEOCR_VL_DEFAULTS.get(name, False))]
