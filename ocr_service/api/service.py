"""The parts of the service that routes use."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ocr_service.admission.admission import Admission
from ocr_service.api.requests.intake import Intake
from ocr_service.api.requests.settings import UploadSettings
from ocr_service.api.requests.upload_disk import UploadDisk
from ocr_service.core.slots import Slots
from ocr_service.jobs.jobs import Jobs
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime.background import BackgroundTasks
from ocr_service.runtime.open_connections import OpenConnections
from ocr_service.runtime.threads import Workers
from ocr_service.runtime.watchdog import Watchdog
from ocr_service.sources.source import Sources
from ocr_service.storage.result_store import ResultStore
from ocr_service.telemetry.gpus import Gpus


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one app, for its whole life.

    large_bodies: parses large JSON bodies, one at a time; callers take turns. long_answers: makes the answers
    with many pages in the same way. scrapes: slots of scrapes of the metrics. tasks: further background
    tasks. s3_missing: variables of the object storage that are not set although others are. preload: start
    the engine together with the service. drain_seconds: time for running requests after SIGTERM.
    public_url: address of the service as its clients see it; None for that of the request. started_at: on
    the clock of time.monotonic.
    """

    pipeline: Pipeline
    admission: Admission
    result_store: ResultStore
    sources: Sources
    jobs: Jobs
    gpus: Gpus
    background: BackgroundTasks
    watchdog: Watchdog
    connections: OpenConnections
    large_bodies: Workers
    long_answers: Workers
    scrapes: Slots
    upload_disk: UploadDisk
    intake: Intake
    tasks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]
    uploads: UploadSettings
    s3_configured: bool
    s3_missing: Sequence[str]
    preload: bool
    drain_seconds: float
    public_url: str | None
    started_at: float

    @property
    def starts_early(self) -> bool:
        """Whether the engine starts together with the service."""
        return self.preload or self.pipeline.engine.starts_early


def service_of(request: Request) -> Service:
    """Return the service of the app that handles the request."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
