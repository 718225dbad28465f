"""Results on a volume, as a `Storage`: a file an object, under the key as its path; there is no metadata."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ocr_service.core.errors import StorageRefusal, TooManyBytes
from ocr_service.core.storage import StorageKind
from ocr_service.runtime.threads import Workers
from ocr_service.storage.atomic_files import in_our_words, write_whole

T = TypeVar("T")

_THREADS = 4


class LocalStorage:
    """A folder. What is killed while it writes leaves a hidden file behind, and never half an object."""

    kind: StorageKind = "local"
    bucket = None
    prefix = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers = Workers(_THREADS, "local-storage")

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Write an object's file."""
        path = self._path(key)
        await self._run(lambda: write_whole(path, body))

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Read an object's file."""
        path = self._path(key)
        return await self._run(lambda: _read(path, max_bytes))

    async def delete(self, key: str) -> None:
        """Remove an object's file; its folder stays."""
        path = self._path(key)
        await self._run(lambda: path.unlink(missing_ok=True))

    async def forget(self, folder: str, older_than: float) -> int:
        """Remove the folder's objects that were put more than so many seconds ago; return how many."""
        path = self._path(folder)
        return await self._run(lambda: _remove_older(path, time.time() - older_than))

    async def url(self, key: str) -> None:
        """Know of no address."""

    async def check(self) -> None:
        """Write a small file and remove it."""
        probe = self._path(".writable")
        await self._run(lambda: write_whole(probe, b""))
        await self._run(lambda: probe.unlink(missing_ok=True))

    async def close(self) -> None:
        """Take no more work."""
        self._workers.close()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\0" in key:
            raise StorageRefusal("The key is no path below the folder of results.")
        return self._folder.joinpath(*parts)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await self._workers.run(work)
        except OSError as error:
            raise in_our_words(error, "The volume of results") from None


def _read(path: Path, max_bytes: int | None) -> bytes | None:
    if not path.is_file():
        return None
    if max_bytes is not None and path.stat().st_size > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    return path.read_bytes()


def _remove_older(folder: Path, than: float) -> int:
    """Remove files by their time; several processes may do so at once."""
    removed = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if file.is_file() and file.stat().st_mtime < than:
                file.unlink()
                removed += 1
    return removed
