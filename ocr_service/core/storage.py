"""The seam between the service and a storage of files."""

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

StorageKind = Literal["s3", "local"]


class Storage(Protocol):
    """The seam between the service and where its files stay.

    A key is a path with slashes between its parts. Whatever fails raises StorageOutage or StorageRefusal;
    their sentences hold no secret. An object appears whole or not at all.
    """

    @property
    def kind(self) -> StorageKind:
        """What it is."""

    @property
    def bucket(self) -> str | None:
        """The bucket's name, None where there are none."""

    @property
    def prefix(self) -> str:
        """What every key that the service makes begins with: empty, or with a slash at its end."""

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store an object in place of any that is there; metadata, in ASCII, is kept where it can be."""

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Return an object, None where there is none; raises TooManyBytes for a larger one, unread."""

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def url(self, key: str) -> str | None:
        """Return an address where anyone may fetch the object for a while, None where there are none."""

    async def check(self) -> None:
        """Find out whether it can be used; heavy imports happen here or at the first use."""

    async def close(self) -> None:
        """Let go of threads and connections."""


@runtime_checkable
class Prunable(Protocol):
    """A storage that does not let go of old objects by itself, but can be told to."""

    @property
    def prefix(self) -> str:
        """As of any storage."""

    async def prune(self, folder: str, older_than: float) -> int:
        """Remove the folder's objects that were put more than so many seconds ago; return how many."""
