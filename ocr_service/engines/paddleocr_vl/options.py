"""PaddleOCR-VL's recognition options, their checks, and the arguments of the official pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from ocr_service.core.errors import ModelNotLoaded, RequestError
from ocr_service.core.options import Options

PromptLabel = Literal["ocr", "formula", "table", "chart", "spotting", "seal"]
ShapeMode = Literal["rect", "quad", "poly", "auto"]
MergeMode = Literal["large", "small", "union"]

# The pipeline's defaults; options that are not listed here are off by default.
_DEFAULTS: Mapping[str, object] = {
    "use_layout_detection": True,
    "layout_nms": True,
    "layout_shape_mode": "auto",
    "merge_layout_blocks": True,
    "prettify_markdown": True,
    "merge_tables": True,
    "relevel_titles": True,
}
# Options of the Markdown and of `restructure_pages`, which `predict` does not take.
_NOT_FOR_PREDICT = {"prettify_markdown", "show_formula_number", "merge_tables", "relevel_titles"}
# The pipeline's own limits.
_MIN_PIXELS, _MAX_PIXELS = 112_896, 1_003_520
# The model reads squares of 28 pixels. A lower maximum would leave no row of them of a block that is 50 times
# as wide as high, such as a line of text across a page, and vLLM refuses such a block.
_LEAST_MAX_PIXELS = 28 * 28 * 50
# Tokens of the prompt around the image.
_PROMPT_TOKENS = 128
_VLM_EXTRA_ARGS = {
    f"{kind}_{limit}_pixels"
    for kind in ("ocr", "table", "chart", "formula", "seal")
    for limit in ("min", "max")
}


@dataclass(frozen=True, slots=True)
class PaddleOcrVlOptions:
    """Options of the official pipeline, with the names and meanings of `predict` and `restructure_pages`.

    None means the pipeline's default.

    layout_threshold: minimum score of a layout box, 0 to 1, for all labels or by label number.
    layout_unclip_ratio: factor on a box's width and height: one, a pair, or a pair by label number.
    layout_merge_bboxes_mode: which of two nested boxes stays, for all labels or by label number.
    prompt_label: content type of the whole page if use_layout_detection is False.
    min_pixels, max_pixels: size to which a block's image is scaled for the VLM.
    max_new_tokens: maximum number of tokens that the VLM generates for one block.
    vlm_extra_args: pixel limits by kind of block, such as table_max_pixels.
    merge_tables, relevel_titles: steps of `restructure_pages`.
    """

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
    merge_tables: bool | None = None
    relevel_titles: bool | None = None

    @classmethod
    def of(cls, options: Options) -> Self:
        """Return the options of this engine; the defaults if there are none."""
        return options.engine if isinstance(options.engine, cls) else cls()

    @property
    def changed(self) -> Sequence[str]:
        """Names of the options that differ from the pipeline's defaults."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [name for name, value in given if value not in (None, _DEFAULTS.get(name, False))]

    @property
    def repeatable(self) -> bool:
        """Whether the VLM gives the same text again: above temperature 0, it samples."""
        return not self.temperature


def predict_options(options: Options) -> dict[str, Any]:
    """Return the keyword arguments of the pipeline's `predict`."""
    given = {
        name: _as_list(value)
        for name, value in asdict(PaddleOcrVlOptions.of(options)).items()
        if value is not None and name not in _NOT_FOR_PREDICT
    }
    if options.restructure_pages:
        # Formatted once, at the end, from the restructured pages.
        given.pop("format_block_content", None)
    return {**given, "use_queues": False}


def max_new_tokens(max_length: int | None) -> int | None:
    """Return the most tokens that vLLM generates for a block, from its `--max-model-len`."""
    return None if max_length is None else max(1, max_length - _PROMPT_TOKENS)


def check_options(
    options: PaddleOcrVlOptions, orientation_loaded: bool, unwarping_loaded: bool, most_tokens: int | None
) -> None:
    """Raise ModelNotLoaded, naming the setting that loads the model, or RequestError.

    most_tokens: the most that vLLM generates for a block; None if unknown.
    """
    loaded = {"use_doc_orientation_classify": orientation_loaded, "use_doc_unwarping": unwarping_loaded}
    for name, is_loaded in loaded.items():
        if getattr(options, name) and not is_loaded:
            raise ModelNotLoaded(f"{name} needs a model that OCR_{name.upper()}=true loads with the service.")
    minimum, maximum = options.min_pixels or _MIN_PIXELS, options.max_pixels or _MAX_PIXELS
    if minimum > maximum:
        raise RequestError(f"min_pixels is {minimum}, more than max_pixels, which is {maximum}.")
    if most_tokens is not None and (options.max_new_tokens or 0) > most_tokens:
        raise RequestError(
            f"max_new_tokens is {options.max_new_tokens}, more than the {most_tokens} of the vLLM server."
        )
    unknown = set(options.vlm_extra_args or ()) - _VLM_EXTRA_ARGS
    if unknown:
        known = ", ".join(sorted(_VLM_EXTRA_ARGS))
        raise RequestError(f"vlm_extra_args: there is no {min(unknown)!r}; there are {known}.")
    _check_max_pixels(options)


def _check_max_pixels(options: PaddleOcrVlOptions) -> None:
    by_kind = {name: n for name, n in (options.vlm_extra_args or {}).items() if name.endswith("_max_pixels")}
    for name, pixels in {"max_pixels": options.max_pixels, **by_kind}.items():
        if pixels is not None and pixels < _LEAST_MAX_PIXELS:
            raise RequestError(f"{name} is {pixels}, less than {_LEAST_MAX_PIXELS}.")


def _as_list(value: Any) -> Any:
    """Convert a tuple to a list, because the pipeline concatenates lists."""
    return list(value) if isinstance(value, tuple) else value
