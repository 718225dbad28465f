"""Values of reading a document: the request, the reading under way, and the interface of a reader."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.core.options import Options
from ocr_service.core.progress import Progress
from ocr_service.core.turns import UNKNOWN, Caller


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A document and how to read it.

    sha256: digest of the data, in hex.
    pages: a selection such as "1-3,7"; None for all pages.
    key: key of the result in the cache; None if the result is not cached. See `Pipeline.request`.
    pages_key: key of its pages in the cache, whichever are selected; None as for `key`.
    shared: cache the result in the store too, not only in the memory of this process.
    max_pages: page limit.
    password: of a PDF.
    caller: the sender of the document.
    done: selected pages that are not read, because they were read before.
    progress: of the reading, kept up to date by it.
    """

    data: bytes
    sha256: str
    pages: str | None
    options: Options
    max_pages: int
    key: str | None = None
    pages_key: str | None = None
    shared: bool = True
    caller: Caller = UNKNOWN
    password: str | None = field(default=None, repr=False)
    done: frozenset[int] = frozenset()
    progress: Progress = field(default_factory=Progress, compare=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """An open document.

    pages: numbers of the selected pages.
    decode: seconds that opening the document took.
    cached: the pages come from the cache.
    results: yields each page when it is done. A failed page has its error in its result; an error of the
    engine is raised. Closing the generator cancels the remaining pages.
    """

    pages: Sequence[int]
    decode: float
    cached: bool
    results: AsyncGenerator[PageResult]


class Reader(Protocol):
    """Reads documents, page by page or whole."""

    def open(self, request: ReadRequest) -> AbstractAsyncContextManager[Reading]:
        """Open a document and start the engine; an error here comes before any page is read."""

    async def read(self, request: ReadRequest) -> DocumentResult:
        """Read all selected pages; if every page failed, raise the error of the first."""
