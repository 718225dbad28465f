"""Cloud.ru Object Storage, or any other store with S3's API, as a `Storage`. The only file that knows boto3.

boto3 has three habits that such stores do not bear: over https it appends checksums to what it sends (they
answer 411 or 501), for some regions it signs addresses by the old version 2, and it deletes in batches. None
is used here.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ocr_service.core.errors import StorageError, StorageOutage, StorageRefusal, TooManyBytes
from ocr_service.core.storage import StorageKind
from ocr_service.runtime.threads import Workers

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")

AddressingStyle = Literal["path", "virtual"]

_CONNECTIONS = 16
_READERS = 8
_OBJECT_SECONDS = 60.0
_CHUNK = 2**16
_CONNECT_TIMEOUT = 3
_READ_TIMEOUT = 10
# Bytes that are sent in one go must all be sent within the time for connecting; larger bodies go in pieces.
_IN_ONE_GO = 2**20

# What a store answers with a 4xx or a 501 although the same call may succeed the next time.
_PASSING = {"BadDigest", "IncompleteBody", "OperationAborted", "RequestTimeout", "SlowDown"}
_PASSING_STATUS = {408, 425, 429}
_NOT_IMPLEMENTED = 501

_NOT_FOUND = {"404", "NoSuchKey", "NotFound"}

# S3's own words for what an operator must mend → ours.
_REFUSALS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "it does not know the access key",
    "SignatureDoesNotMatch": "the access key and the secret key do not belong together",
    "AccessDenied": "the access key may not do this",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}
_HARMLESS_CODE = re.compile(r"[A-Za-z]{1,64}|\d{3}")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is and who may use it; the access key may hold a colon.

    prefix: what every key begins with, without a slash at its end.
    url_lifetime: seconds that a signed address is good for.
    """

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "ru-central-1"
    prefix: str = ""
    addressing_style: AddressingStyle = "path"
    url_lifetime: int = 3600


class S3Storage:
    """A bucket. boto3 blocks, so each call has one of a few threads; each thread has a connection."""

    kind: StorageKind = "s3"

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._workers = Workers(_CONNECTIONS, "s3")
        # Apart, so that what is read, for the cache or as a document, never keeps results from being stored.
        self._readers = Workers(_READERS, "s3-read")
        self._making = Lock()

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._settings.bucket

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        prefix = self._settings.prefix
        return f"{prefix}/" if prefix else ""

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store an object whole, or raise."""
        content = body if len(body) <= _IN_ONE_GO else BytesIO(body)
        await self._call(
            lambda client: client.put_object(
                Bucket=self.bucket, Key=key, Body=content, ContentType=content_type, Metadata=metadata
            )
        )

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Return an object, None where there is none."""
        read = partial(_read, bucket=self.bucket, key=key, max_bytes=max_bytes)
        return await self._readers.run(self._translated, read)

    async def delete(self, key: str) -> None:
        """Remove one object."""
        await self._call(lambda client: client.delete_object(Bucket=self.bucket, Key=key))

    async def url(self, key: str) -> str:
        """Return an address that is signed for a while; the store is not asked, nor waited for."""
        return await asyncio.to_thread(
            self._translated,
            lambda client: client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.bucket, "Key": key},
                ExpiresIn=self._settings.url_lifetime,
            ),
        )

    async def check(self) -> None:
        """Ask for the first key: unlike a HEAD, it is told in words what is wrong."""
        await self._call(
            lambda client: client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        )

    async def close(self) -> None:
        """Take no more calls; those that run end by their time limits."""
        self._workers.close()
        self._readers.close()

    async def _call(self, call: Callable[["S3Client"], T]) -> T:
        return await self._workers.run(self._translated, call)

    def _translated(self, call: Callable[["S3Client"], T]) -> T:
        """Make the call; whatever boto3 raises becomes an error of ours, and nothing of it is kept.

        Its errors can hold the access key, signed addresses and all that was sent.
        """
        try:
            return call(self._client)
        except (TooManyBytes, StorageOutage):
            raise
        except Exception as error:
            translated = _in_our_words(error, self.bucket)
        raise translated

    @property
    def _client(self) -> "S3Client":
        # Threads that come first at the same time would each make one.
        with self._making:
            return self._made_client

    @cached_property
    def _made_client(self) -> "S3Client":
        # Not at the top: it takes a fifth of a second to import, which is nothing for who stores nothing.
        import boto3
        from botocore.config import Config

        settings = self._settings
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            region_name=settings.region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": settings.addressing_style},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # Whoever calls tries again, in its own time.
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=_CONNECTIONS + _READERS,
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_READ_TIMEOUT,
                tcp_keepalive=True,
            ),
        )


def _read(client: "S3Client", bucket: str, key: str, max_bytes: int | None) -> bytes | None:
    from botocore.exceptions import ClientError

    try:
        found = client.get_object(Bucket=bucket, Key=key)
        with closing(found["Body"]) as body:
            if max_bytes is not None and found.get("ContentLength", 0) > max_bytes:
                raise TooManyBytes.beyond(max_bytes)
            return _whole(body.iter_chunks(_CHUNK))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_FOUND:
            return None
        raise


def _whole(chunks: Iterable[bytes]) -> bytes:
    """Gather an object's bytes; one that only drips is given up, as its thread is wanted."""
    deadline = time.monotonic() + _OBJECT_SECONDS
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if time.monotonic() > deadline:
            raise StorageOutage(f"The object storage took more than {_OBJECT_SECONDS:g} s for an object.")
    return bytes(data)


def _in_our_words(error: Exception, bucket: str) -> StorageError:
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _answered(error.response, bucket)
    if isinstance(error, boto.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageRefusal("The object storage's certificate cannot be verified.")
    if isinstance(error, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return StorageOutage("The object storage does not answer in time.")
    if isinstance(error, boto.EndpointConnectionError | boto.ProxyConnectionError):
        return StorageOutage("The object storage cannot be reached.")
    if isinstance(error, boto.HTTPClientError | boto.IncompleteReadError | boto.ResponseStreamingError):
        return StorageOutage("The connection to the object storage broke off.")
    # What is left is about what we ask with, such as an address or a bucket's name that is none.
    return StorageRefusal(f"The object storage cannot be asked ({type(error).__name__}): check its settings.")


def _answered(response: Mapping[str, Any], bucket: str) -> StorageError:
    """Translate the store's own answer; its sentence is not repeated, as it may hold the access key."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(response.get("Error", {}).get("Code", ""))
    said = f"{code}, {status}" if _HARMLESS_CODE.fullmatch(code) and code != str(status) else str(status)
    refused = status < 500 or status == _NOT_IMPLEMENTED
    if refused and code not in _PASSING and status not in _PASSING_STATUS:
        reason = _REFUSALS.get(code, "it does not take the request")
        return StorageRefusal(f"The object storage refuses bucket {bucket}: {reason} ({said}).")
    return StorageOutage(f"The object storage has trouble of its own ({said}).")
