"""The options of PaddleOCR-VL as fields of a request, with the names and meanings of PaddleOCR."""

import re
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
# A JSON body arrives as the fields of a form, with numbers and truth values as text; they name no label.
_JSON_VALUE = re.compile(r"[\[{]|(true|false|-?[0-9][0-9.eE+-]*)$")

Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(gt=0, le=10)]
Pixels = Annotated[int, Field(ge=1, le=12_000_000)]
Pair = tuple[Factor, Factor]


def _names(value: Any) -> Any:
    """Parse names joined by commas, or a JSON list of names."""
    if value == _NONE:
        return ()
    if isinstance(value, str) and not _JSON_VALUE.match(value):
        return tuple(name.strip() for name in value.split(","))
    return from_json(value) if isinstance(value, str) else value


# For a string in OpenAPI: a form would send an array as several fields.
Names = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema({"type": "string"})]


class RecognitionFields(BaseModel):
    """Options of PaddleOCR-VL; Tesseract refuses an option that would change something."""

    model_config = ConfigDict(frozen=True)

    use_doc_orientation_classify: bool | None = Field(
        None,
        description="Rotate the page upright first. Needs `OCR_USE_DOC_ORIENTATION_CLASSIFY=true`; "
        "then the default is true.",
    )
    use_doc_unwarping: bool | None = Field(
        None,
        description="Flatten a photographed page first. Needs `OCR_USE_DOC_UNWARPING=true`; "
        "then the default is true.",
    )
    use_layout_detection: bool | None = Field(
        None, description="Detect the blocks of the page. If false, the page is one block. Default: true."
    )
    use_chart_recognition: bool | None = Field(
        None, description="Recognize charts as tables. Default: false."
    )
    use_seal_recognition: bool | None = Field(None, description="Recognize seals. Default: false.")
    use_ocr_for_image_block: bool | None = Field(
        None, description="Recognize text in images. Default: false."
    )
    layout_threshold: Share | Json[dict[int, Share]] | None = Field(
        None,
        description="Minimum score of a block: a number, or a JSON object by label number. Default: 0.3.",
    )
    layout_nms: bool | None = Field(
        None, description="Remove overlapping blocks (non-maximum suppression). Default: true."
    )
    layout_unclip_ratio: Factor | Json[Pair | dict[int, Pair]] | None = Field(
        None,
        description="Expand blocks: a factor, `[width, height]`, or a JSON object of such pairs by label "
        "number. Default: 1.",
    )
    layout_merge_bboxes_mode: MergeMode | Json[dict[int, MergeMode]] | None = Field(
        None,
        description="Block to keep of two nested ones: `large`, `small`, `union` for both, or a JSON object "
        "by label number. Default: depends on the release.",
    )
    layout_shape_mode: ShapeMode | None = Field(
        None, description="Shape of the crops of blocks. Default: `auto`."
    )
    merge_layout_blocks: bool | None = Field(
        None, description="Merge blocks that belong together. Default: true."
    )
    prompt_label: PromptLabel | None = Field(
        None, description="Content type of the whole page, with `use_layout_detection=false`. Default: `ocr`."
    )
    format_block_content: bool | None = Field(
        None, description="Format the content of blocks as Markdown. Default: false."
    )
    markdown_ignore_labels: Names | None = Field(
        None,
        description="Labels of blocks to omit from the Markdown, joined by commas; `none` omits nothing. "
        "Tesseract has this option too. Default: page numbers, notes, headers and footers.",
    )
    prettify_markdown: bool | None = Field(
        None, description="Centre titles and images in the Markdown with HTML. Default: true."
    )
    show_formula_number: bool | None = Field(
        None, description="Show the numbers of formulas in the Markdown. Default: false."
    )
    repetition_penalty: float | None = Field(
        None, gt=0, le=10, description="Values above 1 reduce repetition. Default: that of the model."
    )
    temperature: float | None = Field(
        None, ge=0, le=2, description="Sampling temperature of the VLM; above 0, results vary. Default: 0."
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Nucleus sampling: probability mass of the tokens to choose from. Default: 1.",
    )
    min_pixels: Pixels | None = Field(
        None,
        description="Minimum pixels of a block's image for the VLM; it is enlarged to them. Default: 112896.",
    )
    max_pixels: Pixels | None = Field(
        None,
        description="Maximum pixels of a block's image for the VLM; it is reduced to them. Default: 1003520. "
        "Minimum: 39200.",
    )
    max_new_tokens: int | None = Field(
        None,
        ge=1,
        le=16_384,
        description="Maximum number of tokens that the VLM generates for a block. More than "
        "`VLLM_MAX_MODEL_LEN` less 128 is an error 422. Default: 4096, or less if vLLM allows less.",
    )
    vlm_extra_args: Json[dict[str, Pixels]] | None = Field(
        None,
        description="Pixel limits by type of block, as a JSON object: `table_max_pixels`, `ocr_min_pixels` …",
    )
    restructure_pages: bool | None = Field(
        None, description="Process all pages together, with the next two options. Default: false."
    )
    merge_tables: bool | None = Field(
        None, description="With `restructure_pages`: merge tables that span pages. Default: true."
    )
    relevel_titles: bool | None = Field(
        None, description="With `restructure_pages`: assign title levels across the document. Default: true."
    )

    def options(self, lang: str | None) -> Options:
        """Return the options for the engine."""
        own = {name: getattr(self, name) for name in RecognitionFields.model_fields}
        restructure_pages = bool(own.pop("restructure_pages"))
        return Options(lang=lang, restructure_pages=restructure_pages, engine=PaddleOcrVlOptions(**own))
