"""The APIs that jobs come by: each can read the fields again that it keeps with a job."""

from collections.abc import Callable, Mapping
from typing import Any

from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.jobs.job import Job, Wanted

OCR = "ocr"


def fields_of(job: Job) -> OcrFields:
    """Return the fields of a job that came by `/jobs` or `/ocr`."""
    return OcrFields.model_validate(job.asked)


def asked_of(fields: OcrFields) -> Mapping[str, Any]:
    """Return the fields that were sent, as JSON values."""
    return fields.model_dump(mode="json", round_trip=True, exclude_unset=True)


def wanted_by(job: Job) -> Wanted:
    """Return what a job wants of the pipeline."""
    return _FACES[job.face](job)


def _wanted_by_ocr(job: Job) -> Wanted:
    fields = fields_of(job)
    return Wanted(
        fields.selection,
        fields.recognition(fields.format),
        cached=fields.cache,
        shared=fields.store,
        stored=fields.store,
    )


_FACES: Mapping[str, Callable[[Job], Wanted]] = {OCR: _wanted_by_ocr}
