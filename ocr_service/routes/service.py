"""What the routes work with."""

from dataclasses import dataclass

from fastapi import Request

from ocr_service.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Service:
    """One for the app's whole life.

    max_upload_bytes: largest file accepted. preload: start the
    engine with the service, whatever it costs. started_at: on the clock of time.monotonic.
    """

    pipeline: Pipeline
    max_upload_bytes: int
    s3_configured: bool
    preload: bool
    started_at: float


def service_of(request: Request) -> Service:
    """Return the service that the request's app holds."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
