"""The words of storing: what is stored of one document, and what has become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ocr_service.core.storage import StorageKind


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a document; name: its path below the document's folder."""

    name: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """All files of one document.

    folder: what their keys begin with, a slash at its end; no other document has the same.
    metadata: said of every file, in ASCII.
    """

    folder: str
    files: tuple[StoredFile, ...]
    metadata: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(file.body) for file in self.files)


class KeepStatus(StrEnum):
    """What has become of a document's files; the values are those of the answer."""

    STORED = "stored"
    PENDING = "pending"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file, stored or to be stored; url: None where there is none, or not yet."""

    key: str
    content_type: str
    size: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a document's files are, or will be; error: why they are not there, in a sentence."""

    status: KeepStatus
    kind: StorageKind | None = None
    bucket: str | None = None
    folder: str | None = None
    files: tuple[KeptFile, ...] = ()
    error: str | None = None


DISABLED = Kept(KeepStatus.DISABLED)
"""Nothing is stored: there is no storage, or the caller does not want it."""
