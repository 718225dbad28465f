"""The JSON of the blocks of a page, of their words and of errors."""

from pydantic import ConfigDict, Field

from ocr_service.api.answers.model import Answer
from ocr_service.core.documents import Block, Word
from ocr_service.core.errors import OcrError

EXAMPLE_BLOCK = {
    "label": "text",
    "bbox": [202, 507, 2236, 809],
    "content": "Настоящий договор заключён…",
    "order": 3,
    "confidence": 0.957,
    "error": None,
}
_EXAMPLE_WORD = {"text": "договор", "bbox": [412, 507, 618, 552], "confidence": 0.961}


class ErrorAnswer(Answer):
    """The error of a page or a block; the other pages and blocks have their text."""

    code: str = Field(description="Stable code of the error.", examples=["broken_document"])
    detail: str = Field(
        description="Description of the error, in one sentence.", examples=["Page 2 of the PDF is damaged."]
    )

    @classmethod
    def of(cls, error: OcrError | None) -> "ErrorAnswer | None":
        return cls(code=error.code, detail=error.detail) if error else None


class WordAnswer(Answer):
    """A word of a block."""

    text: str = Field(description="The word.", examples=["договор"])
    bbox: tuple[int, int, int, int] = Field(
        description="Left, top, right and bottom edge, in pixels of the decoded page.",
        examples=[[412, 507, 618, 552]],
    )
    confidence: float | None = Field(
        description="Confidence of the engine, 0 to 1; null for text of the file itself.", examples=[0.961]
    )

    @classmethod
    def of(cls, word: Word) -> "WordAnswer":
        confidence = None if word.confidence is None else round(word.confidence, 3)
        return cls(text=word.text, bbox=word.bbox, confidence=confidence)


class BlockAnswer(Answer):
    """A block of a page's layout."""

    # `words` can be missing.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    label: str = Field(
        description="Type of the block: `doc_title`, `paragraph_title`, `text`, `list`, `table`, `header`, "
        "`footer`, `number`; with PaddleOCR-VL also `display_formula`, `image`, `chart`, `seal` and others.",
        examples=["text"],
    )
    bbox: tuple[int, int, int, int] = Field(
        description="Left, top, right and bottom edge, in pixels of the decoded page; the origin is the "
        "upper left corner.",
        examples=[[202, 507, 2236, 809]],
    )
    content: str = Field(
        description="Text of the block. A list has one item per line, a table is HTML, a formula is LaTeX.",
        examples=["Настоящий договор заключён…"],
    )
    order: int = Field(description="Position in reading order, from 1.", examples=[3])
    confidence: float | None = Field(
        description="Confidence of the engine, 0 to 1; null if the engine has none.", examples=[0.957]
    )
    error: ErrorAnswer | None = Field(
        description="Reason if the text of this block is missing or incomplete, else null. "
        "Other blocks are not affected.",
        examples=[None],
    )
    words: list[WordAnswer] | None = Field(
        None,
        description="Words in reading order; only if the request has `words=true`.",
        examples=[[_EXAMPLE_WORD]],
        exclude_if=lambda words: words is None,
    )

    @classmethod
    def of(cls, block: Block, words: bool = True) -> "BlockAnswer":
        return cls(
            label=block.label,
            bbox=block.bbox,
            content=block.content,
            order=block.order,
            confidence=block.confidence,
            error=ErrorAnswer.of(block.failure),
            words=[WordAnswer.of(word) for word in block.words] if words and block.words else None,
        )
