"""Values that the service sends to a worker process, and the interface of the code that answers in it."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a worker. Its files are the document, if the worker does not have it yet, and the memory.

    request: for the handler; None to release the document, without a reply.
    seconds: CPU time after which the process is killed.
    has_document: the first file is a document, which replaces the previous one.
    memory: number of the shared memory for the pixels; 0 for none.
    kept: numbers of all memories that later calls may name.
    """

    request: object
    seconds: float = 0.0
    has_document: bool = False
    memory: int = 0
    kept: tuple[int, ...] = ()


class Handler(Protocol):
    """Answers requests about one document at a time, in a worker process.

    readable: folders with data that it reads, beside libraries and fonts.
    """

    readable: Sequence[Path]

    def set_document(self, document: bytes | None) -> None:
        """Replace the document; None to release its memory."""

    def answer(self, request: Any, memory: mmap.mmap | None) -> object:
        """Return the reply; raises OcrError. memory: takes the pixels."""


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Reply after an error that is no OcrError. stack: without values, since these may be of the document."""

    error: str
    stack: Sequence[str]
