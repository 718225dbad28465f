"""Folders and `s3://` addresses as sources of documents and as places of results."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ocr_service.bulk.errors import CannotRun
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.results import BucketResults, FolderResults, Results
from ocr_service.bulk.sources import BucketSource, FolderSource, Source
from s3_storage import S3Settings, S3Storage

_S3 = "s3://"
# As many as documents are in flight by default: each begins with a look for its earlier result.
_READERS = 16


def check_places(source: str, results: str) -> None:
    """Raise CannotRun if results could be found as documents."""
    first, second = f"{_normal(source)}/", f"{_normal(results)}/"
    if first.startswith(second) or second.startswith(first):
        raise CannotRun(
            "The documents and the results cannot be below each other: results would be documents."
        )


def bucket_of(place: str) -> str:
    """Return the name of the bucket; "" for a folder."""
    return place.removeprefix(_S3).partition("/")[0] if place.startswith(_S3) else ""


def source_at(place: str, environment: Mapping[str, str], patience: Patience) -> Source:
    """Return the documents at a place; raises CannotRun."""
    if place.startswith(_S3):
        bucket, prefix = _bucket(place, environment)
        return BucketSource(bucket, prefix, patience)
    if not Path(place).is_dir():
        raise CannotRun(f"There is no folder {place}.")
    return FolderSource(Path(place))


def results_at(place: str, environment: Mapping[str, str], patience: Patience) -> Results:
    """Return the place of results; raises CannotRun."""
    if place.startswith(_S3):
        bucket, prefix = _bucket(place, environment)
        return BucketResults(bucket, prefix, patience)
    if Path(place).exists() and not Path(place).is_dir():
        raise CannotRun(f"{place} is no folder.")
    return FolderResults(Path(place), patience)


def _bucket(place: str, environment: Mapping[str, str]) -> tuple[S3Storage, str]:
    """Return a bucket and a prefix, empty or with a slash at its end."""
    name, _, prefix = place.removeprefix(_S3).partition("/")
    given = {key.upper(): value for key, value in environment.items() if value}
    try:
        settings = S3Settings.model_validate(given | {"CLOUDRU_S3_BUCKET": name}, extra="ignore")
    except ValidationError as error:
        reasons = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise CannotRun(reasons) from None
    if not settings.configured:
        raise CannotRun(f"Set {', '.join(settings.missing)} for {place}.")
    return S3Storage(settings, _READERS), f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def _normal(place: str) -> str:
    if place.startswith(_S3):
        return place.rstrip("/")
    return os.path.realpath(place)
