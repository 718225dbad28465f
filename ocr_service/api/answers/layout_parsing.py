"""Results and errors → the answers of PaddleX's serving API, under its names and in its shapes.

A page that could not be read, or not whole, says so in its `prunedResult`: PaddleX has no place for that, as
there it would be the whole document's failure.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from ocr_service.api.answers.document import EXAMPLE_ID, Answer, ErrorAnswer, partial_failure
from ocr_service.core.documents import Block, DocumentResult, PageResult
from ocr_service.decoding.signatures import PDF, identify

_NOT_IN_ANSWERS = {"input_path", "page_index"}
# Of a page that PaddleOCR-VL says nothing of: there is no `layout_det_res`, and no `doc_preprocessor_res`.
_SETTINGS = {"use_doc_preprocessor": False, "use_layout_detection": False}

_EXAMPLE_BLOCK = {
    "block_label": "text",
    "block_content": "Настоящий договор заключён…",
    "block_bbox": [202, 507, 2236, 809],
    "block_id": 0,
    "block_order": 1,
    "group_id": 0,
}
_EXAMPLE_PRUNED = {
    "page_count": None,
    "width": 2480,
    "height": 3508,
    "model_settings": _SETTINGS,
    "parsing_res_list": [_EXAMPLE_BLOCK],
}
_EXAMPLE_MARKDOWN: dict[str, Any] = {"text": "Настоящий договор заключён…", "images": {}}
_EXAMPLE_PAGE = {"prunedResult": _EXAMPLE_PRUNED, "markdown": _EXAMPLE_MARKDOWN}
_EXAMPLE_INFO = {"width": 2480, "height": 3508, "type": "image"}
_EXAMPLE_WORD = {"content": "UEsDBBQA…", "fileName": "page_1.docx"}


class CamelAnswer(Answer):
    """Base of these answers; a name that is null is left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=False,
    )


class MarkdownData(CamelAnswer):
    """A page as Markdown."""

    text: str = Field(description="The Markdown.", examples=["# Договор поставки № 17"])
    images: dict[str, str] | None = Field(
        None,
        description="The pictures that it refers to, by their path there: JPEG files in base64. An object, "
        "which may be empty; left out with `returnMarkdownImages=false`.",
        examples=[{"imgs/img_in_image_box_131_519_1050_891.jpg": "/9j/4AAQ…"}],
    )


class ExportContent(CamelAnswer):
    """A page in another format."""

    content: str = Field(description="The file in base64.", examples=[_EXAMPLE_WORD["content"]])
    file_name: str = Field(description="A name for it.", examples=[_EXAMPLE_WORD["fileName"]])


class DocumentExports(CamelAnswer):
    """A page in the formats that `outputFormats` asks for."""

    docx: ExportContent = Field(description="As a Word document.", examples=[_EXAMPLE_WORD])


class LayoutParsingResult(CamelAnswer):
    """One page."""

    pruned_result: dict[str, Any] = Field(
        description="All that the engine says of the page. `parsing_res_list` holds its blocks. Where the "
        "page or a part of it could not be read, there is an `error` with `code` and `detail`, and `errors` "
        "has those of single blocks, by `block_id`.",
        examples=[_EXAMPLE_PRUNED],
    )
    markdown: MarkdownData = Field(description="The page as Markdown.", examples=[_EXAMPLE_MARKDOWN])
    output_images: dict[str, str] | None = Field(
        None,
        description="Pictures that show what was found in the page: JPEG files in base64. Left out with "
        "`visualize=false`.",
        examples=[{"layout_det_res": "/9j/4AAQ…"}],
    )
    input_image: str | None = Field(
        None,
        description="The page as it was read: a JPEG file in base64. Left out with `visualize=false`.",
        examples=["/9j/4AAQ…"],
    )
    exports: DocumentExports | None = Field(
        None,
        description="The page in the formats that `outputFormats` asks for; left out where it asks for none.",
        examples=[{"docx": _EXAMPLE_WORD}],
    )

    @classmethod
    def of(cls, page: PageResult, images: Mapping[str, str] | None) -> "LayoutParsingResult":
        drawings = _in_base64(page.drawings)
        return cls(
            pruned_result=pruned(page),
            markdown=MarkdownData(text=page.markdown, images=None if images is None else dict(images)),
            input_image=drawings.pop("input_img", None),
            output_images=drawings if page.drawings else None,
            exports=_exports(page),
        )


class PageInfo(CamelAnswer):
    """How large a page is."""

    width: int = Field(description="Width in pixels as decoded.", examples=[1190])
    height: int = Field(description="Height in pixels as decoded.", examples=[1684])


class ImageInfo(PageInfo):
    """A picture of one page."""

    type: Literal["image"] = Field("image", description="What it is.", examples=["image"])


class PagesInfo(CamelAnswer):
    """A PDF, or a TIFF of several pages."""

    num_pages: int = Field(description="How many pages were read.", examples=[1])
    pages: list[PageInfo] = Field(
        description="How large each is, in pixels; zeros for one that could not be decoded.",
        examples=[[{"width": 1190, "height": 1684}]],
    )
    type: Literal["pdf", "tiff"] = Field(description="What it is.", examples=["pdf"])


class InferResult(CamelAnswer):
    """A whole document."""

    layout_parsing_results: list[LayoutParsingResult] = Field(
        description="Its pages, in order.", examples=[[_EXAMPLE_PAGE]]
    )
    data_info: ImageInfo | PagesInfo = Field(description="What was sent.", examples=[_EXAMPLE_INFO])


class RestructureResult(CamelAnswer):
    """Pages, looked at together."""

    layout_parsing_results: list[LayoutParsingResult] = Field(
        description="The pages, or the one that they have become.", examples=[[_EXAMPLE_PAGE]]
    )


class _Success(CamelAnswer):
    log_id: str = Field(
        description="The request's `logId`, else its id, as in the header `X-Request-ID`.",
        examples=[EXAMPLE_ID],
    )
    error_code: Literal[0] = Field(0, description="Zero: no error.", examples=[0])
    error_msg: Literal["Success"] = Field("Success", description="No error.", examples=["Success"])


class LayoutParsingAnswer(_Success):
    """What `POST /layout-parsing` answers with."""

    result: InferResult = Field(
        description="The document.",
        examples=[{"layoutParsingResults": [_EXAMPLE_PAGE], "dataInfo": _EXAMPLE_INFO}],
    )

    @classmethod
    def of(
        cls, log_id: str, result: DocumentResult, data: bytes, images: bool = True
    ) -> "LayoutParsingAnswer":
        pages = [
            LayoutParsingResult.of(page, _in_base64(page.images) if images else None) for page in result.pages
        ]
        info = data_info(data, result.pages)
        return cls(log_id=log_id, result=InferResult(layout_parsing_results=pages, data_info=info))


class RestructurePagesAnswer(_Success):
    """What `POST /restructure-pages` answers with."""

    result: RestructureResult = Field(
        description="The pages.", examples=[{"layoutParsingResults": [_EXAMPLE_PAGE]}]
    )


class LayoutParsingError(CamelAnswer):
    """An error, as PaddleX has it."""

    log_id: str = Field(
        description="The request's `logId`, else its id, as in the header `X-Request-ID`.",
        examples=[EXAMPLE_ID],
    )
    error_code: int = Field(description="The HTTP status.", examples=[422])
    error_msg: str = Field(
        description="What happened, in a sentence.", examples=["The PDF needs a password."]
    )


def document_kind(data: bytes) -> Literal["image", "tiff", "pdf"]:
    """Tell what a document is by its first bytes; raises NotADocument or TypeNotSupported."""
    name = identify(data)
    if name == PDF:
        return "pdf"
    return "tiff" if name == "TIFF" else "image"


def data_info(data: bytes, pages: Sequence[PageResult]) -> ImageInfo | PagesInfo:
    """Say what was sent: a TIFF of one page is a picture."""
    sizes = [PageInfo(width=page.decoded[0], height=page.decoded[1]) for page in pages]
    kind = document_kind(data)
    if kind == "image" or (kind == "tiff" and len(sizes) == 1):
        return ImageInfo(width=sizes[0].width, height=sizes[0].height)
    return PagesInfo(num_pages=len(sizes), pages=sizes, type=kind)


def pruned(page: PageResult) -> dict[str, Any]:
    """Return what the engine says of a page, without where it comes from."""
    said: dict[str, Any] = _without(page.raw, _NOT_IN_ANSWERS) if page.raw else _as_paddleocr_says_it(page)
    if error := ErrorAnswer.of(page.failure or partial_failure(page)):
        said["error"] = error.model_dump()
    blocks = {str(number): ErrorAnswer.of(block.failure) for number, block in enumerate(page.blocks)}
    if errors := {number: error.model_dump() for number, error in blocks.items() if error}:
        said["errors"] = errors
    return said


def page_of(
    number: int, said: Mapping[str, Any], blocks: Sequence[Block], images: Mapping[str, bytes]
) -> PageResult:
    """Return the page of a `prunedResult` that was answered once, for looking at it with others."""
    # A block's own picture would be a path of its sender's choice.
    listed = [_without(block, {"image"}) for block in said["parsing_res_list"]]
    raw = {**said, "input_path": None, "page_index": None, "parsing_res_list": listed}
    size = said["width"], said["height"]
    return PageResult(number, *size, markdown="", text="", blocks=tuple(blocks), images=images, raw=raw)


def _as_paddleocr_says_it(page: PageResult) -> dict[str, Any]:
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
    return {**size, "model_settings": dict(_SETTINGS), "parsing_res_list": blocks}


def _without(said: Any, names: set[str]) -> Any:
    if isinstance(said, Mapping):
        return {name: _without(part, names) for name, part in said.items() if name not in names}
    return [_without(part, names) for part in said] if isinstance(said, list) else said


def _exports(page: PageResult) -> DocumentExports | None:
    if page.docx is None:
        return None
    content = b64encode(page.docx).decode("ascii")
    return DocumentExports(docx=ExportContent(content=content, file_name=f"page_{page.index}.docx"))


def _in_base64(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: b64encode(file).decode("ascii") for name, file in files.items()}
