"""What the routes work with."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from ocr_service.fetching import Fetcher
from ocr_service.pipeline import Pipeline
from ocr_service.storing import Storing


@dataclass(frozen=True, slots=True)
class Service:
    """One for the app's whole life.

    reads_bucket: whether documents may be named by `s3://`. max_upload_bytes: largest file accepted.
    s3_missing: settings of the object storage that are missing while others are there. preload: start the
    engine with the service, whatever it costs. started_at: on the clock of time.monotonic.
    """

    pipeline: Pipeline
    storing: Storing
    fetcher: Fetcher
    reads_bucket: bool
    max_upload_bytes: int
    s3_configured: bool
    s3_missing: Sequence[str]
    preload: bool
    started_at: float


def service_of(request: Request) -> Service:
    """Return the service that the request's app holds."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
