"""The APIs that jobs come by: each can read the fields again that it keeps with a job."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.requests.paddle_jobs import PaddleJobFields
from ocr_service.core.engine import Engine
from ocr_service.jobs.job import Job, Wanted

OCR, PADDLE = "ocr", "paddle"


def fields_of(job: Job) -> OcrFields:
    """Return the fields of a job as `/ocr` has them; the other APIs do not have those about storing."""
    return OcrFields.model_validate(job.asked) if job.face == OCR else OcrFields()


def paddle_fields_of(job: Job) -> PaddleJobFields | None:
    """Return the fields of a job that came by PaddleOCR's API; None if it came by another one."""
    return PaddleJobFields.model_validate(job.asked) if job.face == PADDLE else None


def asked_of(fields: OcrFields) -> Mapping[str, Any]:
    """Return the fields that were sent, as JSON values."""
    return fields.model_dump(mode="json", round_trip=True, exclude_unset=True)


def wanted_by(job: Job, engine: Engine) -> Wanted:
    """Return what a job wants of the pipeline."""
    return _FACES[job.face](job, engine)


def _wanted_by_ocr(job: Job, engine: Engine) -> Wanted:
    fields = fields_of(job)
    options = fields.recognition(fields.format, finds_words=engine.finds_words)
    return Wanted(
        fields.selection,
        # The result can be asked for as a PDF, whatever the job was submitted for.
        replace(options, words=options.words or engine.finds_words),
        cached=fields.cache,
        shared=fields.store,
        stored=fields.store,
    )


def _wanted_by_paddle(job: Job, engine: Engine) -> Wanted:
    fields = PaddleJobFields.model_validate(job.asked)
    return Wanted(fields.page_ranges or None, fields.recognition(engine.finds_words), stored=True)


_FACES: Mapping[str, Callable[[Job, Engine], Wanted]] = {OCR: _wanted_by_ocr, PADDLE: _wanted_by_paddle}
