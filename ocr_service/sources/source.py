"""Documents by address: a URL, or a key in the bucket of the service."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath

import httpx

from ocr_service.core.errors import EmptyFile, FetchFailed, StorageError, UrlNotAllowed
from ocr_service.core.storage import Storage
from ocr_service.sources.fetching import Fetcher

_S3 = "s3://"
# Some stores leave out these parts of a key, so that it could lead to the results below the prefix.
_NORMALIZED = {"", ".", ".."}
# Limit for an object, in case the storage sends very slowly.
_OBJECT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Fetches documents. bucket: storage for `s3://` addresses, or None. max_bytes: limit of one object."""

    fetcher: Fetcher
    bucket: Storage | None
    max_bytes: int

    async def chunks(self, address: str) -> AsyncGenerator[bytes]:
        """Yield the document in chunks; close the generator to abort."""
        if _is_s3(address):
            yield await self._object(*_bucket_and_key(address))
            return
        async with aclosing(self.fetcher.fetch(address)) as chunks:
            async for chunk in chunks:
                yield chunk

    def close(self) -> None:
        """Stop the threads for name resolution."""
        self.fetcher.close()

    async def _object(self, bucket: str, key: str) -> bytes:
        storage = self._allowed(bucket, key)
        try:
            async with asyncio.timeout(_OBJECT_SECONDS):
                data = await storage.get(key, self.max_bytes)
        except StorageError as error:
            raise FetchFailed(error.detail) from error
        except TimeoutError:
            raise FetchFailed(f"The object storage took more than {_OBJECT_SECONDS:g} s.") from None
        if data is None:
            raise FetchFailed("There is no such object.")
        if not data:
            raise EmptyFile("The object has no bytes.")
        return data

    def _allowed(self, bucket: str, key: str) -> Storage:
        """Return the storage if it may give the object; raises UrlNotAllowed."""
        storage = self.bucket
        if storage is None or storage.bucket is None:
            raise UrlNotAllowed("This service does not read documents from an object storage.")
        if bucket != storage.bucket or not key:
            raise UrlNotAllowed(f"Documents are read from s3://{storage.bucket}/… only.")
        if _NORMALIZED & set(key.split("/")):
            raise UrlNotAllowed("The key has an empty part, or a part that is `.` or `..`.")
        if storage.prefix and key.startswith(storage.prefix):
            raise UrlNotAllowed("Stored results cannot be read as documents: other callers own some of them.")
        return storage


def trimmed(address: str) -> str:
    """Return an address without the spaces around it. A key can end with some, which name another object."""
    text = address.strip()
    return address.lstrip() if _is_s3(text) else text


def file_name(address: str) -> str:
    """Return the file name in the address of a fetched document, or ""."""
    if _is_s3(address):
        return PurePosixPath(_bucket_and_key(address)[1]).name
    return PurePosixPath(httpx.URL(address).path).name


def _is_s3(address: str) -> bool:
    return address[: len(_S3)].lower() == _S3


def _bucket_and_key(address: str) -> tuple[str, str]:
    # Not urlsplit: a key may contain `?` and `#`.
    bucket, _, key = address[len(_S3) :].partition("/")
    return bucket, key
