"""Places of documents: a folder, or a prefix of a bucket. They are listed lazily."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

from ocr_service.bulk.patience import Patience
from ocr_service.bulk.values import Document
from ocr_service.core.storage import StoredObject
from s3_storage import S3Storage

_FILES_AT_ONCE = 1000


class Source(Protocol):
    """The documents of a run."""

    def documents(self) -> AsyncIterator[Document]:
        """Yield all documents; the memory does not grow with their number."""

    def address(self, document: Document) -> str:
        """Return the address of a document, for the service and for the identity of its job."""

    async def content(self, document: Document) -> bytes | None:
        """Return a document that the client must send; None if the service fetches its address."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder, without hidden ones. They are sent to the service."""

    folder: Path

    async def documents(self) -> AsyncIterator[Document]:
        """See `Source`."""
        found = _files(self.folder, "")
        while some := await asyncio.to_thread(lambda: list(islice(found, _FILES_AT_ONCE))):
            for document in some:
                yield document

    def address(self, document: Document) -> str:
        """See `Source`."""
        return str(self.folder.absolute() / document.name)

    async def content(self, document: Document) -> bytes:
        """See `Source`; raises OSError."""
        return await asyncio.to_thread((self.folder / document.name).read_bytes)


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
            for each in page:
                if _is_document(each):
                    yield Document(each.key.removeprefix(self.prefix), each.etag, each.size)
            after = page[-1].key

    def address(self, document: Document) -> str:
        """See `Source`."""
        return f"s3://{self.bucket.bucket}/{self.prefix}{document.name}"

    async def content(self, document: Document) -> None:
        """See `Source`."""


def _is_document(found: StoredObject) -> bool:
    # Consoles make an empty object for a folder.
    return not found.key.endswith("/")


def _files(folder: Path, prefix: str) -> Iterator[Document]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file():
                status = entry.stat()
                etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
                yield Document(f"{prefix}{entry.name}", etag, status.st_size)
