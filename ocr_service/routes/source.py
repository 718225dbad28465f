"""Where a request's document comes from: its body, or the address that its body names."""

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ocr_service import tracing
from ocr_service.errors import EmptyFile, FetchFailed, StorageError, UrlNotAllowed
from ocr_service.routes.body import Body, Hold
from ocr_service.routes.service import Service

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


async def source_of(body: Body, service: Service, hold: Hold) -> Source:
    """Return the document, fetched where the body names its address.

    hold: told of fetched bytes before they are kept; what it raises ends the fetching.
    """
    if isinstance(body.document, bytes):
        return Source(body.document, body.name)
    with tracing.span("fetch"):
        return await _fetched(body.document, service, hold)


async def _fetched(address: str, service: Service, hold: Hold) -> Source:
    if address[: len(_S3)].lower() == _S3:
        # A key is no path of a URL: it may hold what such a path's end is told by.
        bucket, _, key = address[len(_S3) :].partition("/")
        data = await _from_bucket(bucket, key, service)
        hold(len(data))
        return Source(data, PurePosixPath(key).name)
    data = await service.fetcher.fetch(address, hold)
    # What could be fetched is a URL.
    return Source(data, PurePosixPath(unquote(urlsplit(address).path)).name)


async def _from_bucket(bucket: str, key: str, service: Service) -> bytes:
    storage = service.storing.storage
    if not service.reads_bucket or storage is None or storage.bucket is None:
        raise UrlNotAllowed("This service reads no documents from an object storage.")
    if bucket != storage.bucket or not key:
        raise UrlNotAllowed(f"Documents are read from s3://{storage.bucket}/… alone.")
    if storage.prefix and key.startswith(storage.prefix):
        raise UrlNotAllowed("What the service stores itself is not read again: it is others', too.")
    try:
        async with asyncio.timeout(_BUCKET_SECONDS):
            data = await storage.get(key, service.body_limits.max_bytes)
    except StorageError as error:
        raise FetchFailed(error.detail) from error
    except TimeoutError:
        raise FetchFailed(f"The object storage took more than {_BUCKET_SECONDS:g} s.") from None
    if data is None:
        raise FetchFailed("There is no such object.")
    if not data:
        raise EmptyFile("The object has no bytes.")
    return data
