"""Places of documents: a folder, or a prefix of a bucket. They are listed lazily."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from ocr_service.bulk.errors import CannotRun
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.values import Document
from ocr_service.core.storage import StoredObject
from s3_storage import S3Storage

T = TypeVar("T")

_FILES_AT_ONCE = 1000
# The service does not take keys with these parts, because some stores leave them out.
_NORMALIZED = {"", ".", ".."}


class Source(Protocol):
    """The documents of a run."""

    def documents(self) -> AsyncIterator[Document]:
        """Yield all documents; the memory does not grow with their number."""

    def address(self, document: Document) -> str:
        """Return the address of a document, for the service and for the identity of its job."""

    async def content(self, document: Document) -> bytes | None:
        """Return a document that the client must send; None if the service fetches its address.

        Raises OSError.
        """

    async def can_be_fetched_again(self, document: Document) -> bool:
        """Whether a document is still there, of which the fetch failed; waits for its place."""

    def is_refused_alone(self, document: Document) -> bool:
        """Whether the service does not take the address of this document, although it takes others."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder, without hidden ones. They are sent to the service."""

    folder: Path

    async def documents(self) -> AsyncIterator[Document]:
        """See `Source`."""
        found = _files(self.folder, "")
        while some := await asyncio.to_thread(_listed, found):
            for document in _shuffled(some):
                yield document

    def address(self, document: Document) -> str:
        """See `Source`."""
        return str(self.folder.absolute() / document.name)

    async def content(self, document: Document) -> bytes:
        """See `Source`."""
        return await asyncio.to_thread((self.folder / document.name).read_bytes)

    async def can_be_fetched_again(self, document: Document) -> bool:
        """See `Source`."""
        return False

    def is_refused_alone(self, document: Document) -> bool:
        """See `Source`."""
        return False


@dataclass(frozen=True, slots=True)
class BucketSource:
    """The objects below a prefix. The service fetches them, so that they do not pass through the client."""

    bucket: S3Storage
    prefix: str
    patience: Patience

    async def documents(self) -> AsyncIterator[Document]:
        """See `Source`."""
        after = ""
        while page := await self.patience(partial(self.bucket.page, self.prefix, after)):
            for each in _shuffled(page):
                if _is_document(each):
                    yield Document(each.key.removeprefix(self.prefix), each.etag, each.size)
            after = page[-1].key

    def address(self, document: Document) -> str:
        """See `Source`."""
        return f"s3://{self.bucket.bucket}/{self.prefix}{document.name}"

    async def content(self, document: Document) -> None:
        """See `Source`."""

    async def can_be_fetched_again(self, document: Document) -> bool:
        """See `Source`."""
        key = f"{self.prefix}{document.name}"
        return await self.patience(partial(self.bucket.metadata, key)) is not None

    def is_refused_alone(self, document: Document) -> bool:
        """See `Source`."""
        key = f"{self.prefix}{document.name}"
        is_result_of_the_service = bool(self.bucket.prefix) and key.startswith(self.bucket.prefix)
        return is_result_of_the_service or bool(_NORMALIZED & set(key.split("/")))


def _is_document(found: StoredObject) -> bool:
    # Consoles make an empty object for a folder.
    return bool(found.size) or not found.key.endswith("/")


def _shuffled(some: Sequence[T]) -> Sequence[T]:
    """Return another order in each run, so that two runs at once seldom have the same document."""
    return random.sample(some, len(some))


def _listed(found: Iterator[Document]) -> list[Document]:
    try:
        return list(islice(found, _FILES_AT_ONCE))
    except OSError as error:
        raise CannotRun(f"The documents cannot be listed: {error.filename}: {error.strerror}.") from None


def _files(folder: Path, prefix: str) -> Iterator[Document]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            # Files and folders can vanish meanwhile.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
                elif entry.is_file():
                    status = entry.stat()
                    etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
                    yield Document(f"{prefix}{entry.name}", etag, status.st_size)
