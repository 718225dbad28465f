"""The requests of the serving API of PaddleX, with its names, defaults and checks, and our limits."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel

from ocr_service.api.requests.body import DOCUMENT
from ocr_service.api.requests.pdf_fields import PdfFields
from ocr_service.api.requests.recognition_fields import Factor, Pair, Pixels, RecognitionFields, Share
from ocr_service.core.errors import RequestError
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import MergeMode, PaddleOcrVlOptions, ShapeMode

Fields = TypeVar("Fields", bound=BaseModel)

# By label, the pipeline takes only pairs.
_FactorOrPair = Annotated[
    Pair, BeforeValidator(lambda given: given if isinstance(given, list) else [given] * 2)
]
OutputFormats = list[Literal["docx"]]
# Each entry of a list or an object can be invalid, and a million errors take gigabytes. So long lists stop at
# the first error, and the others have a maximum length.
_MAX_ENTRIES = 1000
_MAX_IMAGES = _MAX_BLOCKS = 10_000
_DESCRIPTIONS = {name: field.description or "" for name, field in RecognitionFields.model_fields.items()}
_FORMATS = "Further formats of the answer: `docx` for each page as a Word document."
_LOG_ID = "`logId` of the answer. Default: the id of the request."
_IMAGES = "Whether the answer contains the images of the Markdown."


_CAMEL = ConfigDict(frozen=True, alias_generator=to_camel)


def _refuse_many(value: Any, maximum: int = _MAX_ENTRIES) -> Any:
    if isinstance(value, list | dict) and len(value) > maximum:
        raise ValueError(f"the maximum is {maximum} entries")
    return value


class LayoutOptions(RecognitionFields, PdfFields):
    """The options of PaddleX; unknown ones are ignored, as with PaddleX."""

    model_config = _CAMEL

    # These are JSON values here, not JSON in a text.
    layout_threshold: Share | dict[int, Share] | None = Field(
        None, description="Minimum score of a block: a number, or numbers by label number. Default: 0.3."
    )
    layout_unclip_ratio: Factor | Pair | dict[int, _FactorOrPair] | None = Field(
        None,
        description="Expand blocks: a factor, `[width, height]`, or either by label number. Default: 1.",
    )
    layout_merge_bboxes_mode: MergeMode | dict[int, MergeMode] | None = Field(
        None,
        description="Block to keep of two nested ones: `large`, `small`, `union` for both, or one of them by "
        "label number. Default: depends on the release.",
    )
    markdown_ignore_labels: tuple[str, ...] | None = Field(
        None,
        description="Labels of blocks to omit from the Markdown. Default: page numbers, notes, headers and "
        "footers.",
    )
    vlm_extra_args: dict[str, Pixels] | None = Field(
        None, description="Pixel limits by type of block: `table_max_pixels`, `ocr_min_pixels` …"
    )
    # These cannot be null.
    layout_shape_mode: ShapeMode = Field("auto", description=_DESCRIPTIONS["layout_shape_mode"])
    prettify_markdown: bool = Field(True, description=_DESCRIPTIONS["prettify_markdown"])
    show_formula_number: bool = Field(False, description=_DESCRIPTIONS["show_formula_number"])
    restructure_pages: bool = Field(False, description=_DESCRIPTIONS["restructure_pages"])
    merge_tables: bool = Field(True, description=_DESCRIPTIONS["merge_tables"])
    relevel_titles: bool = Field(True, description=_DESCRIPTIONS["relevel_titles"])
    return_markdown_images: bool = Field(True, description=_IMAGES)
    visualize: bool | None = Field(
        None,
        description="Whether the answer contains images of the page and of its elements. Default: true.",
    )
    output_formats: OutputFormats | None = Field(None, description=_FORMATS)

    @field_validator("*", mode="before")
    @classmethod
    def _has_few_entries(cls, value: Any) -> Any:
        return _refuse_many(value)

    @property
    def recognition(self) -> Options:
        """The options for the engine, without defaults, so that equal requests have equal options."""
        chosen = {
            name: getattr(self, name)
            for name in RecognitionFields.model_fields
            if getattr(self, name) != type(self).model_fields[name].default
        }
        return Options(
            visualize=self.visualize is not False,
            word_documents=bool(self.output_formats),
            restructure_pages=chosen.pop("restructure_pages", False),
            text_layer=self.text_layer_use,
            engine=PaddleOcrVlOptions(**chosen),
        )


class _SentFile(BaseModel):
    file: str = Field(
        description="The document in base64, or its address.", json_schema_extra={"format": DOCUMENT}
    )
    file_type: Literal[0, 1] | None = Field(
        None,
        description="Type of the document: 0 for a PDF, 1 for an image. Default: detected from its bytes.",
    )
    log_id: str | None = Field(None, description=_LOG_ID)


class LayoutParsingRequest(LayoutOptions, _SentFile):
    """The request of `POST /layout-parsing`."""


class SentBlock(BaseModel):
    """A block of an earlier answer."""

    model_config = ConfigDict(extra="allow")

    block_label: str
    block_content: str
    block_bbox: tuple[int, int, int, int]


def _alone(value: Any, validate: Callable[[Any], SentBlock]) -> SentBlock:
    """Validate a block. Between two calls of Python, other threads have their turns."""
    return validate(value)


class PrunedResult(BaseModel):
    """The `prunedResult` of an earlier answer; other fields are passed through."""

    model_config = ConfigDict(extra="allow")

    width: int = 0
    height: int = 0
    model_settings: dict[str, Any]
    parsing_res_list: Annotated[list[Annotated[SentBlock, WrapValidator(_alone)]], FailFast()]

    @field_validator("parsing_res_list", mode="before")
    @classmethod
    def _has_few_blocks(cls, value: Any) -> Any:
        return _refuse_many(value, _MAX_BLOCKS)

    def as_sent(self) -> dict[str, Any]:
        """Return the validated fields and the others. Unlike `model_dump`, it copies no values."""
        return {**dict(self), "parsing_res_list": [dict(block) for block in self.parsing_res_list]}


class SentPage(BaseModel):
    """A page of an earlier answer."""

    model_config = _CAMEL

    pruned_result: PrunedResult = Field(
        description="`prunedResult` of the page, from the answer of `/layout-parsing`."
    )
    markdown_images: dict[str, str] | None = Field(None, description="`markdown.images` of that answer.")

    @field_validator("markdown_images", mode="before")
    @classmethod
    def _has_few_images(cls, value: Any) -> Any:
        return _refuse_many(value, _MAX_IMAGES)


class RestructurePagesRequest(BaseModel):
    """The request of `POST /restructure-pages`."""

    model_config = _CAMEL

    pages: Annotated[list[SentPage], FailFast()] = Field(
        description="The pages of one document, in order, from the answer of `/layout-parsing`."
    )
    merge_tables: bool = Field(True, description="Merge tables that span pages.")
    relevel_titles: bool = Field(True, description="Assign title levels across the document.")
    concatenate_pages: bool = Field(False, description="Concatenate all pages into one.")
    prettify_markdown: bool = Field(True, description=_DESCRIPTIONS["prettify_markdown"])
    show_formula_number: bool = Field(False, description=_DESCRIPTIONS["show_formula_number"])
    return_markdown_images: bool = Field(True, description=_IMAGES)
    output_formats: OutputFormats | None = Field(None, description=_FORMATS)
    log_id: str | None = Field(None, description=_LOG_ID)

    @field_validator("output_formats", mode="before")
    @classmethod
    def _has_few_formats(cls, value: Any) -> Any:
        return _refuse_many(value)


def validated(model: type[Fields], value: Any, place: tuple[int | str, ...] = ()) -> Fields:
    """Return the fields of a request, or of a part of it; raises RequestError. place: of the part."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestError(_message(error, place)) from None


def _message(error: ValidationError, place: tuple[int | str, ...]) -> str:
    """Return one message for each field: a field with several types has an error for each of them."""
    messages: dict[str, str] = {}
    for detail in error.errors():
        messages.setdefault(_field_path((*place, *detail["loc"])), detail["msg"])
    return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _field_path(parts: Sequence[int | str]) -> str:
    """Return the name of the field, or a position in a list, without the types that pydantic appends."""
    in_a_list = len(parts) > 1 and isinstance(parts[1], int)
    return ".".join(map(str, parts if in_a_list else parts[:1])) or "body"


# From the names of fields and options in error messages to their names in this API.
_NAMES = {
    **{name: to_camel(name) for name in LayoutParsingRequest.model_fields},
    **{name: to_camel(name) for name in RestructurePagesRequest.model_fields},
    "word_documents": "outputFormats",
}
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})\b")


def with_paddlex_names(message: str) -> str:
    """Return an error message with the names of PaddleX for fields and options."""
    return _NAME.sub(lambda name: _NAMES[name[1]], message)
