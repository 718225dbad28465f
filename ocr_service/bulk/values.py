"""Values of a run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Format of the service → suffix of its file.
SUFFIXES = {
    "json": "json",
    "markdown": "md",
    "text": "txt",
    "html": "html",
    "docx": "docx",
    "pdf": "pdf",
    "pdfa": "pdfa.pdf",
}
# The service keeps the places of the words for these, if a job is submitted with them.
PDF_FORMATS = ("pdf", "pdfa")


@dataclass(frozen=True, slots=True)
class Document:
    """A document to read.

    name: path below the folder or the prefix. etag: changes with its content. size: in bytes.
    """

    name: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The results that are wanted of each document.

    formats: of the results. fields: of the service's API, such as `pages` and `lang`.
    """

    formats: Sequence[str]
    fields: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of everything here that a result depends on."""
        return _digest(sorted(self.formats), dict(self.fields))


class State(StrEnum):
    """PARTLY: the result lacks the text of some pages, and says so."""

    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """How a document was read.

    etag: of the document. wanted: digest of the `Wanted`. engine, engine_version: that have read it.
    pages: number of its pages. failed_pages: number of those that lack text. attempts: how often it was read.
    code, detail: of the error, if it failed.
    """

    state: State
    etag: str
    wanted: str
    engine: str = ""
    engine_version: str = ""
    pages: int = 0
    failed_pages: int = 0
    attempts: int = 1
    code: str = ""
    detail: str = ""

    def is_of(self, document: Document, wanted: Wanted, engine: str) -> bool:
        """Whether the same document, options and engine would be read again."""
        is_same = (self.etag, self.wanted) == (document.etag, wanted.digest)
        # A document can fail before an engine is there.
        return is_same and self.engine in (engine, "")

    def to_json(self) -> dict[str, Any]:
        """Return its values."""
        return {name: getattr(self, name) for name in Record.__dataclass_fields__}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "Record":
        """Make it of its values; raises KeyError, TypeError or ValueError."""
        return cls(**{**values, "state": State(values["state"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A document and its record. is_skipped: it is of an earlier run."""

    document: Document
    record: Record
    is_skipped: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read. job: its id. files: content by format."""

    job: str
    engine: str
    engine_version: str
    pages: int
    failed_pages: int
    files: Mapping[str, bytes] = field(repr=False, default_factory=dict)


def idempotency_key(address: str, document: Document, wanted: Wanted, attempts: int) -> str:
    """Return the same key for each run that makes the same attempt: these share a job."""
    return _digest(address, document.etag, wanted.digest, attempts)


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:40]
