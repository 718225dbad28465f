"""Documents by their address: a URL, or a key in the service's bucket."""

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ocr_service.core.errors import EmptyFile, FetchFailed, StorageError, UrlNotAllowed
from ocr_service.core.storage import Storage
from ocr_service.sources.fetching import Fetcher, Hold
from ocr_service.telemetry import tracing

_S3 = "s3://"
# A bucket that only drips must not hold its caller for ever.
_BUCKET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Source:
    """A document as it came.

    data: its bytes. name: the file's, where it had one, else "".
    """

    data: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that an address can name.

    bucket: the storage that `s3://` addresses read, or None. max_bytes: limit of one object.
    """

    fetcher: Fetcher
    bucket: Storage | None
    max_bytes: int

    async def get(self, address: str, hold: Hold) -> Source:
        """Return the document.

        hold: told of bytes before they are kept; what it raises ends the fetching.
        """
        with tracing.span("fetch"):
            if address[: len(_S3)].lower() == _S3:
                # A key is no path of a URL: it may hold what such a path's end is told by.
                bucket, _, key = address[len(_S3) :].partition("/")
                data = await self._object(bucket, key)
                hold(len(data))
                return Source(data, PurePosixPath(key).name)
            data = await self.fetcher.fetch(address, hold)
            # What could be fetched is a URL.
            return Source(data, PurePosixPath(unquote(urlsplit(address).path)).name)

    def close(self) -> None:
        """Look up no more names."""
        self.fetcher.close()

    async def _object(self, bucket: str, key: str) -> bytes:
        storage = self.bucket
        if storage is None or storage.bucket is None:
            raise UrlNotAllowed("This service reads no documents from an object storage.")
        if bucket != storage.bucket or not key:
            raise UrlNotAllowed(f"Documents are read from s3://{storage.bucket}/… alone.")
        if storage.prefix and key.startswith(storage.prefix):
            raise UrlNotAllowed("What the service stores itself is not read again: it is others', too.")
        try:
            async with asyncio.timeout(_BUCKET_SECONDS):
                data = await storage.get(key, self.max_bytes)
        except StorageError as error:
            raise FetchFailed(error.detail) from error
        except TimeoutError:
            raise FetchFailed(f"The object storage took more than {_BUCKET_SECONDS:g} s.") from None
        if data is None:
            raise FetchFailed("There is no such object.")
        if not data:
            raise EmptyFile("The object has no bytes.")
        return data
