"""The interface of a storage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

StorageKind = Literal["s3", "local"]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it. etag: changes with the content. size: in bytes."""

    key: str
    etag: str
    size: int


class Storage(Protocol):
    """A storage for objects. A key is a path with slashes.

    Every failure is raised as StorageOutage or StorageRefusal, without secrets in its detail. Writes are
    atomic: an object appears whole or not at all.
    """

    @property
    def kind(self) -> StorageKind:
        """Kind of the storage."""

    @property
    def bucket(self) -> str | None:
        """Name of the bucket; None if the storage has no buckets."""

    @property
    def prefix(self) -> str:
        """Prefix of the keys that the service makes: empty, or ending with a slash."""

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store an object and replace an existing one; metadata, in ASCII, is stored if possible."""

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Return an object, or None if it does not exist; raises TooManyBytes, unread, if it is too large."""

    async def delete(self, key: str) -> None:
        """Delete an object; it is no error if it does not exist."""

    async def delete_folder(self, folder: str) -> None:
        """Delete every object below a folder: a prefix of keys that ends with a slash."""

    async def url(self, key: str) -> str | None:
        """Return a temporary public URL of the object; None if the storage has none."""

    async def check(self) -> None:
        """Check that the storage can be used; heavy imports happen here or at the first use."""

    async def close(self) -> None:
        """Release threads and connections."""


@runtime_checkable
class Prunable(Protocol):
    """A storage that has no lifecycle rules of its own."""

    @property
    def prefix(self) -> str:
        """See `Storage.prefix`."""

    async def prune(self, folder: str, older_than: float) -> int:
        """Delete the objects in a folder that are older than so many seconds; return their number."""
