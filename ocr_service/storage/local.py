"""A folder as a `Storage`: one file per object, with the key as its path; metadata is not stored."""

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ocr_service.core.errors import StorageRefusal, TooManyBytes
from ocr_service.core.storage import StorageKind
from ocr_service.runtime.threads import Workers
from ocr_service.storage.atomic_files import storage_error, write_atomically

T = TypeVar("T")

_THREADS = 4


class LocalStorage:
    """A folder. A process that dies during a write leaves a hidden temporary file, never a partial object."""

    kind: StorageKind = "local"
    bucket = None
    prefix = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers = Workers(_THREADS, "local-storage")

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Write the file of an object."""
        path = self._path(key)
        await self._run(lambda: write_atomically(path, body))

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Read the file of an object."""
        path = self._path(key)
        return await self._run(lambda: _read(path, max_bytes))

    async def delete(self, key: str) -> None:
        """Delete the file of an object; its folder stays."""
        path = self._path(key)
        await self._run(lambda: path.unlink(missing_ok=True))

    async def delete_folder(self, folder: str) -> None:
        """Delete a folder with its files."""
        path = self._path(folder.removesuffix("/"))
        await self._run(lambda: _delete_folder(path))

    async def prune(self, folder: str, older_than: float) -> int:
        """Delete the objects of the folder that are older than so many seconds; return their number."""
        path = self._path(folder)
        return await self._run(lambda: _delete_before(path, time.time() - older_than))

    async def url(self, key: str) -> None:
        """Return None: files have no URL."""

    async def check(self) -> None:
        """Write and delete an empty file."""
        probe = self._path(".writable")
        await self._run(lambda: write_atomically(probe, b""))
        await self._run(lambda: probe.unlink(missing_ok=True))

    async def close(self) -> None:
        """Accept no more calls."""
        self._workers.close()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\0" in key:
            raise StorageRefusal("The key is not a path below the output folder.")
        return self._folder.joinpath(*parts)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await self._workers.run(work)
        except OSError as error:
            raise storage_error(error, "The output volume") from None


def _read(path: Path, max_bytes: int | None) -> bytes | None:
    if not path.is_file():
        return None
    if max_bytes is not None and path.stat().st_size > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    return path.read_bytes()


def _delete_folder(path: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def _delete_before(folder: Path, limit: float) -> int:
    """Delete the files last modified before the limit; other processes may do the same at the same time."""
    deleted = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if file.is_file() and file.stat().st_mtime < limit:
                file.unlink()
                deleted += 1
    return deleted
