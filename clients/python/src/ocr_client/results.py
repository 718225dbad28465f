"""Typed results. Fields that a newer service adds are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ocr_client.errors import OcrError

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Problem:
    """Text of a page, or of a block, is missing or incomplete."""

    code: str
    detail: str


@dataclass(frozen=True)
class PageWarning:
    """A reason to check the text of a page."""

    code: str
    detail: str


@dataclass(frozen=True)
class Word:
    """A word. bbox: left, top, right and bottom edge in pixels of the page. confidence: 0 to 1."""

    text: str
    bbox: Box
    confidence: float | None


@dataclass(frozen=True)
class Block:
    """A part of the layout, in reading order.

    label: such as "text" or "table". words: if they were requested.
    """

    label: str
    bbox: Box
    content: str
    confidence: float | None = None
    error: Problem | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True)
class Page:
    """A page. index: its number in the document, from 1. images: JPEG files by their path in the Markdown."""

    index: int
    width: int
    height: int
    markdown: str
    text: str
    blocks: Sequence[Block]
    confidence: float | None
    warnings: Sequence[PageWarning]
    error: Problem | None
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Page:
        """Make the page of its JSON, which stays in `raw`."""
        return cls(
            index=values["index"],
            width=values["width"],
            height=values["height"],
            markdown=values["markdown"],
            text=values["text"],
            blocks=[_block(block) for block in values["blocks"]],
            confidence=values["confidence"],
            warnings=[PageWarning(each["code"], each["detail"]) for each in values["warnings"]],
            error=_problem(values["error"]),
            raw=values,
        )


@dataclass(frozen=True)
class Document:
    """A document. raw: the answer of the service."""

    pages: Sequence[Page]
    markdown: str
    text: str
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, content: bytes) -> Document:
        """Make the document of its JSON; raises OcrError if that is not an answer of the service."""
        with _answer_of_the_service():
            values = json.loads(content)
            pages = [Page.of(page) for page in values["pages"]]
            return cls(pages, values["markdown"], values["text"], values)

    @property
    def is_complete(self) -> bool:
        """Whether no text is missing, as far as the service knows."""
        return not any(page.error or any(block.error for block in page.blocks) for page in self.pages)


@dataclass(frozen=True)
class Job:
    """A document that the service reads in the background.

    state: pending, running, done, failed or cancelled.
    """

    id: str
    state: str
    pages_total: int
    pages_done: int
    failed_pages: Sequence[int]
    error: Problem | None

    @classmethod
    def of(cls, content: bytes) -> Job:
        """Make the job of its JSON; raises OcrError if that is not an answer of the service."""
        with _answer_of_the_service():
            values = json.loads(content)
            return cls(
                values["id"],
                values["state"],
                values["pages_total"],
                values["pages_done"],
                values["failed_pages"],
                _problem(values["error"]),
            )

    @property
    def is_open(self) -> bool:
        """Whether it is not done and has not failed."""
        return self.state in ("pending", "running")


@contextmanager
def _answer_of_the_service() -> Iterator[None]:
    """Raise OcrError if an answer has another form: a proxy or another service answers at the address."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OcrError(200, "", "The answer is not one of the OCR service.") from None


def _block(values: Mapping[str, Any]) -> Block:
    words = values.get("words") or ()
    return Block(
        label=values["label"],
        bbox=tuple(values["bbox"]),
        content=values["content"],
        confidence=values["confidence"],
        error=_problem(values["error"]),
        words=[Word(each["text"], tuple(each["bbox"]), each["confidence"]) for each in words],
    )


def _problem(values: Mapping[str, Any] | None) -> Problem | None:
    return Problem(values["code"], values["detail"]) if values else None
