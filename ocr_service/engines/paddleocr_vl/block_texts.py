"""The text of a block: checked as it comes from the VLM, and marked while it passes through the pipeline.

The pipeline has no place for the error of a block. The text of such a block has a mark instead, by which the
block is found in the result.
"""

import importlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocr_service.core.errors import OcrError, Repetition, Truncated
from ocr_service.engines.paddleocr_vl.repetition import counting_end, loop_end
from ocr_service.engines.paddleocr_vl.vlm_client import REPETITION, STOP, Completion

# vLLM puts it for a character of which not all bytes are there.
_CUT_CHARACTER = "\ufffd"
_CELL, _EMPTY_CELL, _POSITION = "<fcel>", "<ecel>", "<|LOC_"


@dataclass(frozen=True, slots=True)
class BlockText:
    """A text of the VLM, or a part of it. error: None if it is whole."""

    text: str
    error: OcrError | None = None

    @classmethod
    def of(cls, completion: Completion) -> "BlockText":
        """Check how the text ends; a loop is cut after its first repetition."""
        if completion.finish_reason == STOP:
            text, end = completion.text, loop_end(completion.text)
        else:
            text = completion.text.rstrip(_CUT_CHARACTER)
            end = loop_end(text, completion.finish_reason == REPETITION) or counting_end(text)
        if end is not None or completion.finish_reason == REPETITION:
            return cls(text[:end], _repetition())
        return cls(text, None if completion.finish_reason == STOP else _truncated())

    def marked(self, mark: str) -> str:
        """Return the text with a mark at a place that the pipeline keeps."""
        if _POSITION in self.text:
            # The text is split by positions; the page has no other block.
            return self.text
        before, cell, after = self.text.rpartition(_CELL)
        if not cell:
            before, cell, after = self.text.rpartition(_EMPTY_CELL)
        return f"{before}{_CELL}{mark}{after}" if cell else self.text + mark


def new_mark() -> str:
    """Return a mark that occurs in no document."""
    return f"[{secrets.token_hex(8)}]"


def remove_marks(official_blocks: Sequence[Any], failures: Mapping[str, OcrError]) -> dict[int, OcrError]:
    """Remove the marks from the blocks of a result; return the errors by block number, from 0.

    failures: by mark.
    """
    failed: dict[int, OcrError] = {}
    for number, block in enumerate(official_blocks):
        for mark, error in failures.items():
            if mark in block.content:
                block.content = block.content.replace(mark, "")
                failed[number] = error
    if failures and not failed and len(official_blocks) == 1:
        [failed[0]] = failures.values()
    return failed


def keep_repeated_lines() -> None:
    """Make the pipeline keep the texts as they are; raises AttributeError for another paddlex.

    It takes equal lines, dots and zeros for loops, and drops them without an error.
    """
    module: Any = importlib.import_module("paddlex.inference.pipelines.paddleocr_vl.pipeline")
    assert module.truncate_repetitive_content
    module.truncate_repetitive_content = _unchanged


def _unchanged(text: str, **_: Any) -> str:
    return text


def _truncated() -> Truncated:
    return Truncated(
        "The text reached the limit of tokens (max_new_tokens); the block has the part before it."
    )


def _repetition() -> Repetition:
    return Repetition(
        "The VLM repeated itself; the block has the text before the repetition, and the repeated part once."
    )
