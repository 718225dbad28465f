"""Our own storage, pointed at one of the stores."""

from typing import Any

from s3_storage import S3Settings, S3Storage
from tests.s3.stores import BUCKET, Store


def storage_of(store: Store, **other: Any) -> S3Storage:
    """other: settings in place of those that are right."""
    right = {
        "endpoint": store.endpoint,
        "bucket": BUCKET,
        "access_key": store.access_key,
        "secret_key": store.secret_key,
        "prefix": "ocr",
    }
    return S3Storage(S3Settings(**{**right, **other}))
