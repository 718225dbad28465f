"""Values of the storage: the files of one document, and the outcome of storing them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ocr_service.core.storage import StorageKind


@dataclass(frozen=True, slots=True)
class FileToStore:
    """One file of a document. name: its path below the folder of the document."""

    name: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All files of one document.

    folder: prefix of their keys, unique to the document, with a slash at its end.
    metadata: stored with every file; ASCII.
    """

    folder: str
    files: tuple[FileToStore, ...]
    metadata: Mapping[str, str]

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(len(file.body) for file in self.files)


class StorageStatus(StrEnum):
    """Outcome of storing a bundle; the values appear in the API."""

    STORED = "stored"
    PENDING = "pending"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One stored or pending file. url: None if it is pending or the storage has no URLs."""

    key: str
    content_type: str
    size: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class StorageOutcome:
    """Location of the files of a document. error: the reason, in a sentence, if they are not stored."""

    status: StorageStatus
    kind: StorageKind | None = None
    bucket: str | None = None
    folder: str | None = None
    files: tuple[StoredFile, ...] = ()
    error: str | None = None


DISABLED = StorageOutcome(StorageStatus.DISABLED)
"""Nothing is stored: no storage is configured, or the request does not want it."""
