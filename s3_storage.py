"""Cloud.ru Object Storage, or any other service with the S3 API, as a `Storage`; the only user of boto3.

Three defaults of boto3 do not work with such services and are avoided here: over https it appends checksums
to uploads (the answer is 411 or 501), in some regions it presigns URLs with signature version 2, and it
deletes in batches.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property, partial
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr

from ocr_service.core.errors import StorageOutage, TooManyBytes
from ocr_service.core.settings import SettingsGroup, env_prefix, http_url, spelled
from ocr_service.core.storage import StorageKind, StoredObject
from ocr_service.runtime.threads import Workers
from ocr_service.storage.bucket_errors import bucket_error

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")

AddressingStyle = Literal["path", "virtual"]

_PREFIX = "CLOUDRU_S3_"
_REQUIRED = ("endpoint", "bucket", "access_key", "secret_key")

_WRITE_THREADS = 16
_READ_THREADS = 8
_CHUNK = 2**16
# Timeouts in seconds.
_CONNECT_TIMEOUT = 3
_READ_TIMEOUT = 10
_GET_TIMEOUT = 60.0
# A body of type bytes must be sent within the connect timeout; larger ones are files, which go in chunks.
_MAX_BYTES_BODY = 2**20

_NOT_FOUND = {"404", "NoSuchKey", "NotFound"}


class S3Settings(SettingsGroup):
    """The bucket, and the keys to it; it is used if the endpoint, the bucket and both keys are set."""

    model_config = env_prefix(_PREFIX)

    endpoint: Annotated[str | None, AfterValidator(http_url)] = Field(
        None, description="URL of Cloud.ru Object Storage (`https://s3.cloud.ru`) or of another S3 server."
    )
    bucket: (
        Annotated[
            str,
            spelled(
                r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}",
                "it must have 1 to 255 Latin letters, digits, dots, hyphens and underscores, "
                "and begin with a letter or a digit",
            ),
        ]
        | None
    ) = Field(None, description="Name of the bucket.")
    access_key: SecretStr | None = Field(
        None, description="Access key; for Cloud.ru it is `<tenant_id>:<key_id>`."
    )
    secret_key: SecretStr | None = Field(None, description="Secret key.")
    region: Annotated[
        str, spelled(r"[A-Za-z0-9-]{1,63}", "it must have 1 to 63 Latin letters, digits and hyphens")
    ] = Field("ru-central-1", description="Region.")
    prefix: Annotated[
        str,
        spelled(
            r"([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?",
            "it must have Latin letters, digits, dots, hyphens and underscores, "
            "without a slash at an end, and no part may be empty or begin with a dot",
        ),
    ] = Field(
        "ocr",
        max_length=256,
        description="Prefix of all keys, without the slash at its end.",
    )
    addressing_style: AddressingStyle = Field(
        "path",
        description="Position of the bucket name in URLs: `path`, or `virtual` for the host name.",
    )
    url_lifetime: int = Field(
        86_400,
        ge=1,
        le=604_800,
        description="Seconds for which the signed URLs in the `storage` part of an answer are valid.",
    )

    @property
    def configured(self) -> bool:
        """Whether the storage can be used."""
        return not self._absent

    @property
    def missing(self) -> list[str]:
        """The variables that are not set although others of the required ones are."""
        absent = self._absent
        return absent if len(absent) < len(_REQUIRED) else []

    @property
    def _absent(self) -> list[str]:
        return [f"{_PREFIX}{name}".upper() for name in _REQUIRED if getattr(self, name) is None]


class S3Storage:
    """A bucket. boto3 blocks, so calls run in a thread pool, with one connection per thread.

    readers: number of reads at a time.
    """

    kind: StorageKind = "s3"

    def __init__(self, settings: S3Settings, readers: int = _READ_THREADS) -> None:
        self._settings = settings
        self._connections = _WRITE_THREADS + readers
        self.bucket = _set(settings.bucket)
        self._workers = Workers(_WRITE_THREADS, "s3")
        # Separate threads, so that slow reads never delay the storing of results.
        self._readers = Workers(readers, "s3-read")
        self._client_lock = Lock()

    @property
    def prefix(self) -> str:
        """Prefix of every key: empty, or with a slash at its end."""
        prefix = self._settings.prefix
        return f"{prefix}/" if prefix else ""

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        """Store an object."""
        content = body if len(body) <= _MAX_BYTES_BODY else BytesIO(body)
        await self._call(
            lambda client: client.put_object(
                Bucket=self.bucket, Key=key, Body=content, ContentType=content_type, Metadata=metadata
            )
        )

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        """Return an object, or None if it does not exist."""
        read = partial(_read, bucket=self.bucket, key=key, max_bytes=max_bytes)
        return await self._readers.run(self._translated, read)

    async def metadata(self, key: str) -> Mapping[str, str] | None:
        """Return the metadata of an object, or None if it does not exist."""
        return await self._readers.run(self._translated, partial(_metadata, bucket=self.bucket, key=key))

    async def page(self, prefix: str, after: str = "") -> Sequence[StoredObject]:
        """Return up to a thousand objects below a prefix, in the order of their keys.

        after: key before the first one. An empty page is the end.
        """
        return await self._readers.run(
            self._translated, partial(_page, bucket=self.bucket, prefix=prefix, after=after)
        )

    async def delete(self, key: str) -> None:
        """Delete an object."""
        await self._call(lambda client: client.delete_object(Bucket=self.bucket, Key=key))

    async def delete_folder(self, folder: str) -> None:
        """Delete the objects below a prefix, one by one."""
        await self._call(partial(_delete_below, bucket=self.bucket, prefix=folder))

    async def url(self, key: str) -> str:
        """Return a presigned URL; this does not contact the storage."""
        return await asyncio.to_thread(
            self._translated,
            lambda client: client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.bucket, "Key": key},
                ExpiresIn=self._settings.url_lifetime,
            ),
        )

    async def check(self) -> None:
        """List one key: unlike the answer to a HEAD, an error then has a code."""
        await self._call(
            lambda client: client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        )

    async def close(self) -> None:
        """Accept no more calls; running ones end by their timeouts."""
        self._workers.close()
        self._readers.close()

    async def _call(self, call: Callable[["S3Client"], T]) -> T:
        return await self._workers.run(self._translated, call)

    def _translated(self, call: Callable[["S3Client"], T]) -> T:
        """Make a call, and convert the errors of boto3 without chaining them.

        They may contain the access key, presigned URLs and the uploaded data.
        """
        try:
            return call(self._client)
        except (TooManyBytes, StorageOutage):
            raise
        except Exception as error:
            translated = bucket_error(error, self.bucket)
        raise translated

    @property
    def _client(self) -> "S3Client":
        # The first calls may come from several threads at once.
        with self._client_lock:
            return self._new_client

    @cached_property
    def _new_client(self) -> "S3Client":
        # Imported late: it takes 0.2 s, and not every service uses S3.
        import boto3
        from botocore.config import Config

        settings = self._settings
        return boto3.session.Session().client(
            "s3",
            endpoint_url=_set(settings.endpoint),
            aws_access_key_id=_set(settings.access_key).get_secret_value(),
            aws_secret_access_key=_set(settings.secret_key).get_secret_value(),
            region_name=settings.region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": settings.addressing_style},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # The caller retries, within its own timeout.
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=self._connections,
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_READ_TIMEOUT,
                tcp_keepalive=True,
            ),
        )


def _set(value: T | None) -> T:
    assert value is not None, "the settings are not complete"
    return value


def _read(client: "S3Client", bucket: str, key: str, max_bytes: int | None) -> bytes | None:
    from botocore.exceptions import ClientError

    try:
        found = client.get_object(Bucket=bucket, Key=key)
        with closing(found["Body"]) as body:
            if max_bytes is not None and found.get("ContentLength", 0) > max_bytes:
                raise TooManyBytes.beyond(max_bytes)
            return _read_all(body.iter_chunks(_CHUNK))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_FOUND:
            return None
        raise


def _metadata(client: "S3Client", bucket: str, key: str) -> Mapping[str, str] | None:
    from botocore.exceptions import ClientError

    try:
        found = client.head_object(Bucket=bucket, Key=key)["Metadata"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_FOUND:
            return None
        raise
    # S3 does not keep the case of the names.
    return {name.lower(): value for name, value in found.items()}


def _page(client: "S3Client", bucket: str, prefix: str, after: str) -> Sequence[StoredObject]:
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after)
    return [
        StoredObject(each["Key"], each["ETag"].strip('"'), each["Size"]) for each in page.get("Contents", [])
    ]


def _delete_below(client: "S3Client", bucket: str, prefix: str) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=found["Key"])


def _read_all(chunks: Iterable[bytes]) -> bytes:
    """Join the chunks of an object; give up after a while, because slow objects would use up the threads."""
    deadline = time.monotonic() + _GET_TIMEOUT
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if time.monotonic() > deadline:
            raise StorageOutage(f"The object storage took more than {_GET_TIMEOUT:g} s for an object.")
    return bytes(data)
