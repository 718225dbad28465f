"""The requests of PaddleX's serving API: its names, its defaults, its checks, within our limits."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, field_validator
from pydantic.alias_generators import to_camel

from ocr_service.api.requests.body import DOCUMENT
from ocr_service.api.requests.recognition_fields import Factor, Pair, Pixels, RecognitionFields, Share
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import MergeMode, PaddleOcrVlOptions, ShapeMode

# What the pipeline asks for by label is a pair.
_FactorOrPair = Annotated[
    Pair, BeforeValidator(lambda given: given if isinstance(given, list) else [given] * 2)
]
OutputFormats = list[Literal["docx"]]
# Each entry of a list or an object may be wrong, and a million errors take gigabytes: of long lists the first
# one is told alone, and what is never long in earnest is held to so many entries.
_MOST_ENTRIES = 1000
_MOST_PICTURES = 10_000
_DESCRIPTIONS = {name: field.description or "" for name, field in RecognitionFields.model_fields.items()}
_FORMATS = "More formats to answer in: `docx` for each page as a Word document."
_LOG_ID = "What the answer's `logId` is to be. Default: the request's id."
_IMAGES = "Whether the answer holds the pictures that the Markdown refers to."


_CAMEL = ConfigDict(frozen=True, alias_generator=to_camel)


def _refuse_many(value: Any, most: int = _MOST_ENTRIES) -> Any:
    if isinstance(value, list | dict) and len(value) > most:
        raise ValueError(f"there may be {most} entries at most")
    return value


class LayoutParsingRequest(RecognitionFields):
    """What `POST /layout-parsing` takes; fields that it does not know are left alone, as with PaddleX."""

    model_config = _CAMEL

    file: str = Field(
        description="The document in base64, or its address.", json_schema_extra={"format": DOCUMENT}
    )
    file_type: Literal[0, 1] | None = Field(
        None, description="What it is: 0 for a PDF, 1 for an image. Default: its bytes say it."
    )
    # As JSON, not as text that holds JSON.
    layout_threshold: Share | dict[int, Share] | None = Field(
        None, description="Least score of a block: a number, or numbers by label number. Default: 0.3."
    )
    layout_unclip_ratio: Factor | Pair | dict[int, _FactorOrPair] | None = Field(
        None,
        description="Widen blocks: a factor, `[across, down]`, or either by label number. Default: 1.",
    )
    layout_merge_bboxes_mode: MergeMode | dict[int, MergeMode] | None = Field(
        None,
        description="Which of two nested blocks stays: `large`, `small`, `union` for both, or one of them by "
        "label number. Default: the release's own.",
    )
    markdown_ignore_labels: tuple[str, ...] | None = Field(
        None,
        description="Labels that the Markdown leaves out. Default: page numbers, notes, headers and footers.",
    )
    vlm_extra_args: dict[str, Pixels] | None = Field(
        None, description="Pixel limits by kind of block: `table_max_pixels`, `ocr_min_pixels` …"
    )
    # Never null.
    layout_shape_mode: ShapeMode = Field("auto", description=_DESCRIPTIONS["layout_shape_mode"])
    prettify_markdown: bool = Field(True, description=_DESCRIPTIONS["prettify_markdown"])
    show_formula_number: bool = Field(False, description=_DESCRIPTIONS["show_formula_number"])
    restructure_pages: bool = Field(False, description=_DESCRIPTIONS["restructure_pages"])
    merge_tables: bool = Field(True, description=_DESCRIPTIONS["merge_tables"])
    relevel_titles: bool = Field(True, description=_DESCRIPTIONS["relevel_titles"])
    return_markdown_images: bool = Field(True, description=_IMAGES)
    visualize: bool | None = Field(
        None, description="Whether the answer shows the page and what was found in it. Default: true."
    )
    output_formats: OutputFormats | None = Field(None, description=_FORMATS)
    log_id: str | None = Field(None, description=_LOG_ID)

    @field_validator("*", mode="before")
    @classmethod
    def _has_few_entries(cls, value: Any) -> Any:
        return _refuse_many(value)

    @property
    def recognition(self) -> Options:
        """What of it concerns the engine; a default says nothing, so that equal requests look alike."""
        chosen = {
            name: getattr(self, name)
            for name in RecognitionFields.model_fields
            if getattr(self, name) != type(self).model_fields[name].default
        }
        return Options(
            visualize=self.visualize is not False,
            word_documents=bool(self.output_formats),
            restructure_pages=chosen.pop("restructure_pages", False),
            engine=PaddleOcrVlOptions(**chosen),
        )


class BlockGiven(BaseModel):
    """A block of a page that was read before."""

    model_config = ConfigDict(extra="allow")

    block_label: str
    block_content: str
    block_bbox: tuple[int, int, int, int]


class PrunedResult(BaseModel):
    """All that was said of a page that was read before; what is not looked at goes through."""

    model_config = ConfigDict(extra="allow")

    width: int = 0
    height: int = 0
    model_settings: dict[str, Any]
    parsing_res_list: Annotated[list[BlockGiven], FailFast()]


class GivenPage(BaseModel):
    """A page that was read before."""

    model_config = _CAMEL

    pruned_result: PrunedResult = Field(description="As `/layout-parsing` answered it.")
    markdown_images: dict[str, str] | None = Field(None, description="The answer's `markdown.images`.")

    @field_validator("markdown_images", mode="before")
    @classmethod
    def _has_few_pictures(cls, value: Any) -> Any:
        return _refuse_many(value, _MOST_PICTURES)


class RestructurePagesRequest(BaseModel):
    """What `POST /restructure-pages` takes."""

    model_config = _CAMEL

    pages: Annotated[list[GivenPage], FailFast()] = Field(
        description="Pages of one document, in order, as they were answered."
    )
    merge_tables: bool = Field(True, description="Join tables that go on over pages.")
    relevel_titles: bool = Field(True, description="Give titles levels that fit the whole document.")
    concatenate_pages: bool = Field(False, description="Make one page of all.")
    prettify_markdown: bool = Field(True, description=_DESCRIPTIONS["prettify_markdown"])
    show_formula_number: bool = Field(False, description=_DESCRIPTIONS["show_formula_number"])
    return_markdown_images: bool = Field(True, description=_IMAGES)
    output_formats: OutputFormats | None = Field(None, description=_FORMATS)
    log_id: str | None = Field(None, description=_LOG_ID)

    @field_validator("output_formats", mode="before")
    @classmethod
    def _has_few_formats(cls, value: Any) -> Any:
        return _refuse_many(value)
