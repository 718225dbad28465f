"""The answers of the serving API of PaddleX, with its names and structure.

If a page or a part of it could not be read, its `prunedResult` has an error. PaddleX itself has no field for
this, because it fails the whole document instead. Confidence and warnings are there too, if there are any.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.api.answers.pieces import json_of
from ocr_service.api.answers.pruned_result import MODEL_SETTINGS, pruned_result
from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.decoding.signatures import PDF, identify

# The picture of the page itself, among its drawings.
_INPUT = "input_img"
# In a text of JSON, the quotation marks are escaped.
_NO_PAGES = b'"layoutParsingResults":[]'

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
    "model_settings": MODEL_SETTINGS,
    "parsing_res_list": [_EXAMPLE_BLOCK],
}
_EXAMPLE_MARKDOWN: dict[str, Any] = {"text": "Настоящий договор заключён…", "images": {}}
_EXAMPLE_PAGE = {"prunedResult": _EXAMPLE_PRUNED, "markdown": _EXAMPLE_MARKDOWN}
_EXAMPLE_INFO = {"width": 2480, "height": 3508, "type": "image"}
_EXAMPLE_WORD = {"content": "UEsDBBQA…", "fileName": "page_1.docx"}


class CamelAnswer(Answer):
    """Base class of these answers; fields that are null are left out."""

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
        description="Images in the Markdown: from the path in the Markdown to a JPEG file in base64. It can "
        "be empty; missing with `returnMarkdownImages=false`.",
        examples=[{"imgs/img_in_image_box_131_519_1050_891.jpg": "/9j/4AAQ…"}],
    )


class ExportContent(CamelAnswer):
    """A page in another format."""

    content: str = Field(description="The file in base64.", examples=[_EXAMPLE_WORD["content"]])
    file_name: str = Field(description="Suggested name of the file.", examples=[_EXAMPLE_WORD["fileName"]])


class DocumentExports(CamelAnswer):
    """A page in the formats of `outputFormats`."""

    docx: ExportContent = Field(description="The page as a Word document.", examples=[_EXAMPLE_WORD])


class LayoutParsingResult(CamelAnswer):
    """A page."""

    pruned_result: dict[str, Any] = Field(
        description="All results of the engine for the page; `parsing_res_list` has its blocks. If the page "
        "or a part of it could not be read, `error` has `code` and `detail`, and `errors` has the errors of "
        "single blocks, by `block_id`. `confidence`, 0 to 1, is missing if the engine has none; `warnings` "
        "lists reasons to check the text, each with `code` and `detail`, and is missing if there are none. "
        "`source` is `text_layer` if the text is that of the PDF itself.",
        examples=[_EXAMPLE_PRUNED],
    )
    markdown: MarkdownData = Field(description="The page as Markdown.", examples=[_EXAMPLE_MARKDOWN])
    output_images: dict[str, str] | None = Field(
        None,
        description="Images of the page with the detected elements: JPEG files in base64. Missing with "
        "`visualize=false`.",
        examples=[{"layout_det_res": "/9j/4AAQ…"}],
    )
    input_image: str | None = Field(
        None,
        description="The image of the page: a JPEG file in base64. Missing with `visualize=false`.",
        examples=["/9j/4AAQ…"],
    )
    exports: DocumentExports | None = Field(
        None,
        description="The page in the formats of `outputFormats`; missing if there are none.",
        examples=[{"docx": _EXAMPLE_WORD}],
    )

    @classmethod
    def of(
        cls, page: PageResult, images: Mapping[str, str] | None, drawings: Mapping[str, str]
    ) -> "LayoutParsingResult":
        """Make a page. images, drawings: those of the page, in base64 or as addresses."""
        return cls(
            pruned_result=pruned_result(page),
            markdown=MarkdownData(text=page.markdown, images=None if images is None else dict(images)),
            input_image=drawings.get(_INPUT),
            output_images=_without_input(drawings) if drawings else None,
            exports=_exports(page),
        )


class PageInfo(CamelAnswer):
    """Size of a page."""

    width: int = Field(description="Width of the decoded page in pixels.", examples=[1190])
    height: int = Field(description="Height of the decoded page in pixels.", examples=[1684])


class ImageInfo(PageInfo):
    """An image of one page."""

    type: Literal["image"] = Field("image", description="Type of the document.", examples=["image"])


class PagesInfo(CamelAnswer):
    """A PDF, or a TIFF with several pages."""

    num_pages: int = Field(description="Number of pages that were read.", examples=[1])
    pages: list[PageInfo] = Field(
        description="Size of each page in pixels; 0 if a page could not be decoded.",
        examples=[[{"width": 1190, "height": 1684}]],
    )
    type: Literal["pdf", "tiff"] = Field(description="Type of the document.", examples=["pdf"])


class InferResult(CamelAnswer):
    """The result of a document."""

    layout_parsing_results: list[LayoutParsingResult] = Field(
        description="The pages, in order.", examples=[[_EXAMPLE_PAGE]]
    )
    data_info: ImageInfo | PagesInfo = Field(
        description="Type and size of the document.", examples=[_EXAMPLE_INFO]
    )


class RestructureResult(CamelAnswer):
    """The pages after restructuring."""

    layout_parsing_results: list[LayoutParsingResult] = Field(
        description="The pages, or one page with all of them.", examples=[[_EXAMPLE_PAGE]]
    )


class _Success(CamelAnswer):
    log_id: str = Field(
        description="The `logId` of the request; if it has none, its id, as in the header `X-Request-ID`.",
        examples=[EXAMPLE_ID],
    )
    error_code: Literal[0] = Field(0, description="Always 0: no error.", examples=[0])
    error_msg: Literal["Success"] = Field("Success", description="Always `Success`.", examples=["Success"])


class LayoutParsingAnswer(_Success):
    """The answer of `POST /layout-parsing`."""

    result: InferResult = Field(
        description="The document.",
        examples=[{"layoutParsingResults": [_EXAMPLE_PAGE], "dataInfo": _EXAMPLE_INFO}],
    )


class RestructurePagesAnswer(_Success):
    """The answer of `POST /restructure-pages`."""

    result: RestructureResult = Field(
        description="The pages.", examples=[{"layoutParsingResults": [_EXAMPLE_PAGE]}]
    )


class LayoutParsingError(CamelAnswer):
    """An error, in the format of PaddleX."""

    log_id: str = Field(
        description="The `logId` of the request; if it has none, its id, as in the header `X-Request-ID`.",
        examples=[EXAMPLE_ID],
    )
    error_code: int = Field(description="The HTTP status.", examples=[422])
    error_msg: str = Field(
        description="Description of the error, in one sentence.", examples=["The PDF needs a password."]
    )


def document_kind(data: bytes) -> Literal["image", "tiff", "pdf"]:
    """Detect the type of a document from its first bytes; raises NotADocument or TypeNotSupported."""
    name = identify(data)
    if name == PDF:
        return "pdf"
    return "tiff" if name == "TIFF" else "image"


def layout_parsing_json(
    log_id: str, result: DocumentResult, data: bytes, images: bool = True
) -> Iterator[bytes]:
    """Yield the JSON of a `LayoutParsingAnswer` in parts, a page each."""
    sizes: list[PageInfo] = []
    yield _frame(log_id, ImageInfo(width=0, height=0))[0]
    for page in result.pages:
        separator = b"," if sizes else b""
        sizes.append(PageInfo(width=page.decoded[0], height=page.decoded[1]))
        yield separator + _page_json(page, images)
    yield _frame(log_id, data_info(data, sizes))[1]


def restructured_json(log_id: str, pages: Iterable[LayoutParsingResult]) -> Iterator[bytes]:
    """Yield the JSON of a `RestructurePagesAnswer` in parts, a page each."""
    result = RestructureResult(layout_parsing_results=[])
    before, after = _around_pages(RestructurePagesAnswer(log_id=log_id, result=result))
    yield before
    for number, page in enumerate(pages):
        yield (b"," if number else b"") + _json_of_page(page)
    yield after


def _page_json(page: PageResult, images: bool) -> bytes:
    in_markdown = in_base64(page.images) if images else None
    return _json_of_page(LayoutParsingResult.of(page, in_markdown, in_base64(page.drawings)))


def _json_of_page(page: LayoutParsingResult) -> bytes:
    others = page.model_copy(update={"pruned_result": {}}).model_dump_json(exclude_none=True).encode()
    # `prunedResult` is the first field.
    before, _, after = others.partition(b"{}")
    return before + json_of(page.pruned_result) + after


def _frame(log_id: str, info: ImageInfo | PagesInfo) -> tuple[bytes, bytes]:
    result = InferResult(layout_parsing_results=[], data_info=info)
    return _around_pages(LayoutParsingAnswer(log_id=log_id, result=result))


def _around_pages(answer: LayoutParsingAnswer | RestructurePagesAnswer) -> tuple[bytes, bytes]:
    """Return the JSON of an answer without pages, before and after the pages."""
    before, _, after = answer.model_dump_json(exclude_none=True).encode().partition(_NO_PAGES)
    return before + _NO_PAGES[:-1], _NO_PAGES[-1:] + after


def data_info(data: bytes, sizes: Sequence[PageInfo]) -> ImageInfo | PagesInfo:
    """Return type and sizes of a document; a TIFF with one page counts as an image."""
    kind = document_kind(data)
    if kind == "image" or (kind == "tiff" and len(sizes) == 1):
        return ImageInfo(width=sizes[0].width, height=sizes[0].height)
    return PagesInfo(num_pages=len(sizes), pages=sizes, type=kind)


def _without_input(drawings: Mapping[str, str]) -> dict[str, str]:
    return {name: drawing for name, drawing in drawings.items() if name != _INPUT}


def _exports(page: PageResult) -> DocumentExports | None:
    if page.docx is None:
        return None
    content = b64encode(page.docx).decode("ascii")
    return DocumentExports(docx=ExportContent(content=content, file_name=f"page_{page.index}.docx"))


def in_base64(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return files by their names, in base64."""
    return {name: b64encode(file).decode("ascii") for name, file in files.items()}
