"""S3Storage against real stores: over http, over https, and one that refuses unknown features."""

import logging
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError

from ocr_service.core.errors import StorageError, StorageOutage, StorageRefusal
from ocr_service.telemetry.logs import configure_logging
from s3_storage import S3Settings, S3Storage
from tests.running import free_port
from tests.s3.stores import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Store
from tests.s3.using import storage_of

pytestmark = pytest.mark.anyio

KEY = "ocr/2026/03/15/ид/source/Договор № 17 (копия)+&.pdf"
TEXT = "text/plain; charset=utf-8"


def fetch(store: Store, url: str) -> httpx.Response:
    context = ssl.create_default_context(cafile=store.certificate) if store.certificate else True
    return httpx.get(url, timeout=120, verify=context)


async def test_object_is_returned_as_it_was_stored(store: Store, storage: S3Storage) -> None:
    await storage.put(KEY, "Поставщик".encode(), TEXT, {"source-sha256": "abc", "engine": "tesseract"})
    assert await storage.get(KEY) == "Поставщик".encode()
    head = store.client().head_object(Bucket=BUCKET, Key=KEY)
    assert head["ContentType"] == TEXT
    # S3 metadata names are case-insensitive.
    metadata = {name.lower(): value for name, value in head["Metadata"].items()}
    assert metadata == {"source-sha256": "abc", "engine": "tesseract"}


async def test_object_is_overwritten(storage: S3Storage) -> None:
    await storage.put("ocr/twice", b"first", TEXT, {})
    await storage.put("ocr/twice", b"second", TEXT, {})
    assert await storage.get("ocr/twice") == b"second"


async def test_large_object_is_uploaded_in_parts(storage: S3Storage) -> None:
    body = bytes(range(256)) * 4096 * 5
    await storage.put("ocr/large", body, "application/pdf", {})
    assert await storage.get("ocr/large") == body


async def test_missing_object_is_none(storage: S3Storage) -> None:
    assert await storage.get("ocr/never/put") is None


async def test_objects_are_deleted_one_by_one(store: Store, storage: S3Storage) -> None:
    """Such stores do not support boto3's batch delete, which is sent as POST."""
    await storage.put("ocr/deleted/a", b"", TEXT, {})
    sent: list[str] = []
    storage._client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.method))
    await storage.delete("ocr/deleted/a")
    await storage.delete("ocr/deleted/never-there")
    assert sent == ["DELETE", "DELETE"]
    assert store.objects("ocr/deleted/") == {}


def test_tested_store_refuses_batch_deletes(over_http: Store) -> None:
    with pytest.raises(ClientError):
        over_http.client().delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})


def test_tested_store_refuses_the_default_checksums_of_boto3(strict: Store) -> None:
    """This happens over https only. If the setting is missing, every test above fails on that store."""
    with pytest.raises(ClientError, match="MissingContentLength"):
        strict.client(request_checksum_calculation="when_supported").put_object(
            Bucket=BUCKET, Key="a", Body=b"a"
        )


async def test_presigned_url_needs_no_credentials(store: Store, storage: S3Storage) -> None:
    await storage.put(KEY, b"signed", TEXT, {})
    url = await storage.url(KEY)
    answer = fetch(store, url)
    assert (answer.status_code, answer.content) == (200, b"signed")
    assert answer.headers["content-type"] == TEXT


@pytest.mark.parametrize(
    "tamper",
    [
        lambda url: url.replace("ocr/signed", "ocr/secret"),
        lambda url: url.replace("X-Amz-Expires=86400", "X-Amz-Expires=172800"),
        lambda url: url.partition("?")[0],
    ],
    ids=["another object", "a longer time", "no signature"],
)
async def test_altered_presigned_url_is_refused(
    store: Store, storage: S3Storage, tamper: Callable[[str], str]
) -> None:
    for key in ("ocr/signed", "ocr/secret"):
        await storage.put(key, b"hidden words", TEXT, {})
    answer = fetch(store, tamper(await storage.url("ocr/signed")))
    assert answer.status_code in (400, 403)
    assert b"hidden words" not in answer.content


def settings(**overrides: Any) -> S3Settings:
    working = {"endpoint": "https://s3.cloud.ru", "bucket": "scans", "access_key": "a:b", "secret_key": "c"}
    return S3Settings(**{**working, **overrides})


@pytest.mark.parametrize(
    ("style", "beginning"),
    [("path", "https://s3.cloud.ru/scans/a?"), ("virtual", "https://scans.s3.cloud.ru/a?")],
)
async def test_addressing_style(style: str, beginning: str) -> None:
    storage = S3Storage(settings(addressing_style=style))
    assert (await storage.url("a")).startswith(beginning)
    await storage.close()


@pytest.mark.parametrize("region", [REGION, "us-east-1"])
async def test_presigned_url_has_signature_version_4(region: str) -> None:
    """If a region is one of the first of Amazon, boto3 signs URLs with version 2 by default."""
    storage = S3Storage(settings(region=region))
    signed = parse_qs(urlsplit(await storage.url(KEY)).query)
    await storage.close()
    assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert f"/{region}/s3/aws4_request" in signed["X-Amz-Credential"][0]
    assert signed["X-Amz-Expires"] == ["86400"]


async def test_check_passes_when_the_store_works(storage: S3Storage) -> None:
    await storage.check()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"secret_key": "another-secret"}, "SignatureDoesNotMatch"),
        ({"access_key": "tenant-of-tests:another-key"}, "SignatureDoesNotMatch|InvalidAccessKeyId"),
        ({"bucket": "no-such-bucket"}, "there is no such bucket"),
    ],
    ids=["secret", "key", "bucket"],
)
async def test_wrong_settings_are_refusals(over_http: Store, wrong: dict[str, str], reason: str) -> None:
    storage = storage_of(over_http, **wrong)
    for call in (storage.check(), storage.put("a", b"a", TEXT, {}), storage.get("a")):
        with pytest.raises(StorageRefusal, match=reason) as caught:
            await call
        assert_no_secrets(caught.value, wrong)
    await storage.close()


async def test_unreachable_store_is_an_outage(over_http: Store) -> None:
    storage = storage_of(over_http, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageOutage, match="cannot be reached") as caught:
        await storage.put("a", b"a", TEXT, {})
    assert_no_secrets(caught.value, {})
    await storage.close()


async def test_untrusted_certificate_is_a_refusal(over_https: Store) -> None:
    storage = storage_of(over_https)
    with pytest.raises(StorageRefusal, match="certificate"):
        await storage.check()
    await storage.close()


def assert_no_secrets(error: StorageError, given: dict[str, str]) -> None:
    """The message has no secret, and no boto3 error is chained to it."""
    assert error.__cause__ is None and error.__context__ is None
    shown = repr(error) + error.detail
    for secret in (ACCESS_KEY, SECRET_KEY, given.get("access_key"), given.get("secret_key"), "Signature="):
        assert secret is None or secret not in shown


async def test_secrets_are_not_in_logs_or_reprs(over_http: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """boto3's own debug lines would show keys, signatures and URLs."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging("debug", "json")
    try:
        storage = storage_of(over_http)
        await storage.put("ocr/discreet", b"a", TEXT, {})
        await storage.url("ocr/discreet")
        await storage.close()
    finally:
        root.handlers[:], root.level = before
    shown = (
        capfd.readouterr().err + repr(storage) + repr(settings(access_key=ACCESS_KEY, secret_key=SECRET_KEY))
    )
    assert ACCESS_KEY not in shown and SECRET_KEY not in shown and "Signature" not in shown
