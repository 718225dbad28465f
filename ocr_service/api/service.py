"""What the routes work with."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from ocr_service.admission.admission import Admission
from ocr_service.api.requests.body_stream import UploadSettings
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime.background import BackgroundTasks
from ocr_service.runtime.watchdog import Watchdog
from ocr_service.sources.source import Sources
from ocr_service.storage.result_store import ResultStore
from ocr_service.telemetry.gpus import Gpus


@dataclass(frozen=True, slots=True)
class Service:
    """One for the app's whole life.

    uploads: for uploads. s3_missing: settings of the object storage that are missing while others are
    there. preload: start the engine with the service, whatever it costs. drain_seconds: for running requests
    once the service is told to stop. started_at: on the clock of time.monotonic.
    """

    pipeline: Pipeline
    admission: Admission
    result_store: ResultStore
    sources: Sources
    gpus: Gpus
    background: BackgroundTasks
    watchdog: Watchdog
    uploads: UploadSettings
    s3_configured: bool
    s3_missing: Sequence[str]
    preload: bool
    drain_seconds: float
    started_at: float

    @property
    def starts_early(self) -> bool:
        """Whether the engine is started with the service."""
        return self.preload or self.pipeline.engine.starts_early


def service_of(request: Request) -> Service:
    """Return the service that the request's app holds."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
