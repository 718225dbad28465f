"""Places of results: a folder, or a prefix of a bucket. A result names the document that it belongs to."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from ocr_service.bulk.errors import NameNotUsable
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.values import SUFFIXES, Record, State
from ocr_service.storage.atomic_files import storage_error, write_atomically
from s3_storage import S3Storage

T = TypeVar("T")

# Folder of the records, in a folder of results.
RECORDS = ".ocr-bulk"
# The longest suffix of a result.
_FAILED = "failed.json"
# Limits of S3 and of file systems, in bytes.
_MAX_KEY, _MAX_FILE_NAME = 1024, 255
# Name of the metadata that holds the record.
_RECORD = "ocr-bulk"
_TYPES = {
    "json": "application/json",
    "markdown": "text/markdown; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "pdfa": "application/pdf",
}
# Parts of a path that are no names of files.
_NO_NAMES = {"", ".", ".."}
# Errors of a path that exists with another kind.
_OCCUPIED = (FileExistsError, IsADirectoryError, NotADirectoryError)


class Results(Protocol):
    """The results of a run. Both methods raise NameNotUsable and CannotRun."""

    async def record(self, name: str, marker: str) -> Record | None:
        """Return how a document was read before. marker: the format that is stored last."""

    async def store(self, name: str, files: Mapping[str, bytes], record: Record) -> None:
        """Store the files of a document, by format, with its record; each appears whole or not at all."""


@dataclass(frozen=True, slots=True)
class BucketResults:
    """Objects below a prefix, named by their document; their metadata has the record."""

    bucket: S3Storage
    prefix: str
    patience: Patience

    async def record(self, name: str, marker: str) -> Record | None:
        """See `Results`."""
        key = f"{self.prefix}{name}"
        _check_key(f"{key}.{_FAILED}")
        return await self._record(f"{key}.{SUFFIXES[marker]}") or await self._record(f"{key}.{_FAILED}")

    async def store(self, name: str, files: Mapping[str, bytes], record: Record) -> None:
        """See `Results`."""
        key = f"{self.prefix}{name}"
        if record.state is State.FAILED:
            await self._put(f"{key}.{_FAILED}", reason(record), _TYPES["json"], record)
        # In this order, so that the last one is the sign that all are there.
        for form, body in files.items():
            await self._put(f"{key}.{SUFFIXES[form]}", body, _TYPES[form], record)
        if record.attempts > 1:
            for suffix in _outdated(record):
                await self._delete(f"{key}.{suffix}")

    async def _record(self, key: str) -> Record | None:
        metadata = await self.patience(partial(self.bucket.metadata, key))
        return _parsed((metadata or {}).get(_RECORD))

    async def _delete(self, key: str) -> None:
        await self.patience(partial(self.bucket.delete, key))

    async def _put(self, key: str, body: bytes, content_type: str, record: Record) -> None:
        metadata = {_RECORD: json.dumps(record.to_json() | {"detail": ""})}
        await self.patience(partial(self.bucket.put, key, body, content_type, metadata))


@dataclass(frozen=True, slots=True)
class FolderResults:
    """Files below a folder, named by their document; the records are in a hidden folder."""

    folder: Path
    patience: Patience

    async def record(self, name: str, marker: str) -> Record | None:
        """See `Results`."""
        _check_file_name(name)
        return await self._patient(partial(self._record, name, marker))

    async def store(self, name: str, files: Mapping[str, bytes], record: Record) -> None:
        """See `Results`."""
        _check_file_name(name)
        await self._patient(partial(self._store, name, files, record))

    async def _patient(self, call: Callable[[], T]) -> T:
        async def once() -> T:
            try:
                return await asyncio.to_thread(call)
            except _OCCUPIED:
                raise NameNotUsable(
                    "A result has the name of a folder, or a folder that of a result."
                ) from None
            except OSError as error:
                raise storage_error(error, "The folder of results") from None

        return await self.patience(once)

    def _record(self, name: str, marker: str) -> Record | None:
        try:
            record = _parsed((self.folder / RECORDS / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        # A user may have deleted the result, to have the document read again.
        suffix = _FAILED if record and record.state is State.FAILED else SUFFIXES[marker]
        return record if (self.folder / f"{name}.{suffix}").exists() else None

    def _store(self, name: str, files: Mapping[str, bytes], record: Record) -> None:
        if record.state is State.FAILED:
            write_atomically(self.folder / f"{name}.{_FAILED}", reason(record))
        for form, body in files.items():
            write_atomically(self.folder / f"{name}.{SUFFIXES[form]}", body)
        write_atomically(self.folder / RECORDS / f"{name}.json", json.dumps(record.to_json()).encode())
        for suffix in _outdated(record):
            (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)


def _check_key(key: str) -> None:
    try:
        is_too_long = len(key.encode()) > _MAX_KEY
    except UnicodeEncodeError:
        raise NameNotUsable("The name is not valid Unicode, and cannot be a key of a bucket.") from None
    if is_too_long:
        raise NameNotUsable(f"A key of a bucket has up to {_MAX_KEY} bytes; that of a result is longer.")


def _check_file_name(name: str) -> None:
    """Raise NameNotUsable for a key of a bucket that would lead out of the folder, or is no path."""
    parts = f"{name}.{_FAILED}".split("/")
    if parts[0] == RECORDS or "\0" in name or _NO_NAMES & set(parts):
        raise NameNotUsable("The name has a part that no file in the folder of results can have.")
    if any(len(os.fsencode(part)) > _MAX_FILE_NAME for part in parts):
        raise NameNotUsable(
            f"The name of a file has up to {_MAX_FILE_NAME} bytes; that of a result is longer."
        )


def _outdated(record: Record) -> Sequence[str]:
    """Return the suffixes of the files that an earlier reading can have left."""
    return list(SUFFIXES.values()) if record.state is State.FAILED else [_FAILED]


def reason(record: Record) -> bytes:
    """Return the content of the object of a document that failed."""
    return json.dumps(record.to_json(), indent=2, ensure_ascii=False).encode()


def _parsed(text: str | None) -> Record | None:
    """Return a record; one of another release, or of somebody else, counts as absent."""
    try:
        return Record.of_json(json.loads(text)) if text else None
    except (KeyError, TypeError, ValueError):
        return None
