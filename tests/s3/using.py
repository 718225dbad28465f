"""This service's S3Storage for one of the test stores."""

from typing import Any

from s3_storage import S3Settings, S3Storage
from tests.s3.stores import BUCKET, Store


def storage_of(store: Store, **overrides: Any) -> S3Storage:
    """Build an S3Storage; keyword arguments override the working settings."""
    working = {
        "endpoint": store.endpoint,
        "bucket": BUCKET,
        "access_key": store.access_key,
        "secret_key": store.secret_key,
        "prefix": "ocr",
    }
    return S3Storage(S3Settings(**{**working, **overrides}))
