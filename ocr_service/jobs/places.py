"""The places of jobs: a folder of one process, or a database and a storage that replicas share."""

from dataclasses import dataclass
from pathlib import Path

from ocr_service.core.storage import Storage
from ocr_service.jobs.settings import JobSettings


@dataclass(frozen=True, slots=True)
class Places:
    """folder: OCR_JOBS_DIR, OCR_OUTPUT_DIR or None. local: the storage in it. shared: that of replicas."""

    folder: Path | None
    local: Storage | None
    shared: Storage | None

    def missing(self, settings: JobSettings) -> str | None:
        """Return what the settings lack for jobs, in a sentence; None if nothing."""
        has_bucket = self.shared is not None and self.shared.kind == "s3"
        if settings.replicated and not (settings.url and has_bucket):
            return "Replicas need a common database and bucket: set OCR_JOBS_URL and the object storage."
        if settings.url and self.shared is None:
            return "Jobs need a storage for their documents: set the object storage or OCR_OUTPUT_DIR."
        if not settings.url and self.local is None:
            return (
                "Jobs need a place that outlives a process: set OCR_OUTPUT_DIR, OCR_JOBS_DIR or OCR_JOBS_URL."
            )
        return None
