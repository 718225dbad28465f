"""PaddleOCR-VL's own options, as fields of a request: its names, its meanings, checked before any work."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json, WithJsonSchema
from pydantic_core import from_json

from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import (
    MergeMode,
    PaddleOcrVlOptions,
    PromptLabel,
    ShapeMode,
)

_NONE = "none"

Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(gt=0, le=10)]
Pixels = Annotated[int, Field(ge=1, le=12_000_000)]
Pair = tuple[Factor, Factor]


def _names(value: Any) -> Any:
    """Take names joined by commas, or a list of them as JSON."""
    if value == _NONE:
        return ()
    if isinstance(value, str) and not value.startswith("["):
        return tuple(name.strip() for name in value.split(","))
    return from_json(value) if isinstance(value, str) else value


# A form would send an array as a field given several times.
Names = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema({"type": "string"})]


class RecognitionFields(BaseModel):
    """What a caller may say about recognition with PaddleOCR-VL; Tesseract refuses what it cannot do."""

    model_config = ConfigDict(frozen=True)

    use_doc_orientation_classify: bool | None = Field(
        None,
        description="Turn the page upright first. Needs `OCR_USE_DOC_ORIENTATION_CLASSIFY=true`, "
        "which also makes it the default.",
    )
    use_doc_unwarping: bool | None = Field(
        None,
        description="Flatten a photographed page first. Needs `OCR_USE_DOC_UNWARPING=true`, "
        "which also makes it the default.",
    )
    use_layout_detection: bool | None = Field(
        None, description="Find the page's blocks. Default: true; with false, the page is one block."
    )
    use_chart_recognition: bool | None = Field(None, description="Read charts as tables. Default: false.")
    use_seal_recognition: bool | None = Field(None, description="Read seals. Default: false.")
    use_ocr_for_image_block: bool | None = Field(None, description="Read text in pictures. Default: false.")
    layout_threshold: Share | Json[dict[int, Share]] | None = Field(
        None, description="Least score of a block: a number, or a JSON object by label number. Default: 0.3."
    )
    layout_nms: bool | None = Field(None, description="Drop blocks that others cover. Default: true.")
    layout_unclip_ratio: Factor | Json[Pair | dict[int, Pair]] | None = Field(
        None,
        description="Widen blocks: a factor, `[across, down]`, or a JSON object of such pairs "
        "by label number. Default: 1.",
    )
    layout_merge_bboxes_mode: MergeMode | Json[dict[int, MergeMode]] | None = Field(
        None,
        description="Which of two nested blocks stays: `large`, `small`, `union` for both, or a JSON object "
        "by label number. Default: the release's own.",
    )
    layout_shape_mode: ShapeMode | None = Field(
        None, description="Shape in which blocks are cut out. Default: `auto`."
    )
    merge_layout_blocks: bool | None = Field(
        None, description="Read blocks that belong together as one. Default: true."
    )
    prompt_label: PromptLabel | None = Field(
        None, description="What the whole page is, with `use_layout_detection=false`. Default: `ocr`."
    )
    format_block_content: bool | None = Field(
        None, description="Give blocks' content as Markdown too. Default: false."
    )
    markdown_ignore_labels: Names | None = Field(
        None,
        description="Labels that the Markdown leaves out, joined by commas; `none` leaves out nothing. "
        "Default: page numbers, notes, headers and footers.",
    )
    prettify_markdown: bool | None = Field(
        None, description="Centre titles and pictures by HTML in the Markdown. Default: true."
    )
    show_formula_number: bool | None = Field(
        None, description="Set formulas' numbers beside them in the Markdown. Default: false."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Above 1, the VLM repeats itself less. Default: the model's own."
    )
    temperature: float | None = Field(
        None, ge=0, le=2, description="Above 0, the VLM's words vary from one time to the next. Default: 0."
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="Share of likely words that the VLM chooses from. Default: 1."
    )
    min_pixels: Pixels | None = Field(
        None, description="Least pixels to which a block's picture is scaled for the VLM. Default: 112896."
    )
    max_pixels: Pixels | None = Field(
        None, description="Most pixels to which a block's picture is scaled for the VLM. Default: 1003520."
    )
    max_new_tokens: int | None = Field(
        None, ge=1, le=16_384, description="Most tokens that the VLM writes for a block. Default: 4096."
    )
    vlm_extra_args: Json[dict[str, Pixels]] | None = Field(
        None,
        description="Pixel limits by kind of block, as a JSON object: `table_max_pixels`, `ocr_min_pixels` …",
    )
    restructure_pages: bool | None = Field(
        None, description="Look at all pages together: see the next two. Default: false."
    )
    merge_tables: bool | None = Field(
        None, description="With it: join tables that go on over pages. Default: true."
    )
    relevel_titles: bool | None = Field(
        None, description="With it: give titles levels that fit the whole document. Default: true."
    )

    def options(self, lang: str | None) -> Options:
        """Return the values for the engine."""
        own = {name: getattr(self, name) for name in RecognitionFields.model_fields}
        restructure_pages = bool(own.pop("restructure_pages"))
        return Options(lang=lang, restructure_pages=restructure_pages, engine=PaddleOcrVlOptions(**own))
