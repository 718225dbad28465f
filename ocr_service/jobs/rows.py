"""Rows of the table of jobs, and the values that they stand for."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ocr_service.jobs.job import Job, JobEngine, JobError, JobState, JobStatus, NewJob, Progress

_LISTS = ("pages", "done", "failed")
_OF_JOBS = tuple(Job.__dataclass_fields__)


def row_of(new: NewJob) -> dict[str, Any]:
    """Return the columns of a new job, without those that the database sets."""
    given = {name: getattr(new, name) for name in NewJob.__dataclass_fields__}
    return {
        **given,
        "asked": json.dumps(new.asked),
        "pages": json.dumps(list(new.pages)),
        "total": len(new.pages),
        "state": JobState.ARRIVING,
        "done": "[]",
        "failed": "[]",
        "done_count": 0,
        "final": 0,
        "attempts": 0,
        "callback_tries": 0,
    }


def columns_of(progress: Progress) -> dict[str, Any]:
    """Return the columns of a progress."""
    return {
        "done": json.dumps(list(progress.done)),
        "failed": json.dumps(list(progress.failed)),
        "done_count": len(progress.done),
        "engine": json.dumps(asdict(progress.engine)),
    }


def error_column(error: JobError | None) -> str | None:
    """Return the column of an error."""
    return json.dumps(asdict(error)) if error else None


def job_of(row: Mapping[str, Any]) -> Job:
    """Return the job of a row."""
    values = {name: row[name] for name in _OF_JOBS}
    lists = {name: tuple(json.loads(values[name])) for name in _LISTS}
    parsed = {
        "asked": json.loads(values["asked"]),
        "state": JobState(values["state"]),
        "engine": JobEngine(**json.loads(values["engine"])) if values["engine"] else None,
        "stored": json.loads(values["stored"]) if values["stored"] else None,
        "error": JobError(**json.loads(values["error"])) if values["error"] else None,
    }
    return Job(**{**values, **lists, **parsed})


def status_of(row: Mapping[str, Any]) -> JobStatus:
    """Return the job of a row and its place in the queue."""
    return JobStatus(job_of(row), int(row["jobs_ahead"]), int(row["pages_ahead"]))
