"""The answer of `/liteparse/ocr`, in the format of the OCR servers of LiteParse."""

from pydantic import Field

from ocr_service.api.answers.model import Answer
from ocr_service.core.documents import Block, PageResult

# LiteParse requires a number, and leaves out results with a low one.
_UNKNOWN_CONFIDENCE = 1.0


class LiteParseResult(Answer):
    """A block of the page."""

    text: str = Field(description="Text of the block.", examples=["Договор поставки № 17"])
    bbox: tuple[int, int, int, int] = Field(
        description="Left, top, right, bottom, in pixels of the image.", examples=[[112, 98, 736, 145]]
    )
    confidence: float = Field(
        description="0 to 1; 1 if the engine gives none. LiteParse leaves out low values.", examples=[0.964]
    )

    @classmethod
    def of(cls, block: Block) -> "LiteParseResult":
        confidence = _UNKNOWN_CONFIDENCE if block.confidence is None else block.confidence
        return cls(text=block.content, bbox=block.bbox, confidence=confidence)


class LiteParseAnswer(Answer):
    """The blocks of one page."""

    results: list[LiteParseResult] = Field(
        description="The blocks with text, in reading order.",
        examples=[[{"text": "Договор поставки № 17", "bbox": [112, 98, 736, 145], "confidence": 0.964}]],
    )

    @classmethod
    def of(cls, page: PageResult) -> "LiteParseAnswer":
        return cls(results=[LiteParseResult.of(block) for block in page.blocks if block.content])
