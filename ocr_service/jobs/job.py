"""Values of a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ocr_service.core.options import Options


class JobState(StrEnum):
    """State of a job. ARRIVING: its document is not durable yet, so nobody has heard of the job."""

    ARRIVING = "arriving"
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether the job is not at its end."""
        return self in OPEN


OPEN = (JobState.ARRIVING, JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is submitted.

    owner: digest of the caller's API key, or "" if there are no keys; nobody else sees the job.
    face: API that the job came by. asked: JSON values of the request, which this API can read again.
    name: of the file, or "". sha256: digest of the document. size: of the document, in bytes.
    pages: numbers of the selected pages. request_id: of the request that submitted it.
    batch: label that jobs share. idempotency_key: the same key gives the same job. callback_url: is told when
    the job is at its end.
    """

    id: str
    owner: str
    face: str
    asked: Mapping[str, Any]
    name: str
    sha256: str
    size: int
    pages: Sequence[int]
    request_id: str
    batch: str | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, as an error of the service has it."""

    status: int
    code: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobEngine:
    """The engine that reads a job."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Job(NewJob):
    """A job as the database has it. Times are seconds since 1970 on the clock of the database.

    done: numbers of the pages that are read, in the order in which they were. failed: those of them that have
    an error. final: number of pages of the result if they were restructured, else 0.
    token: of the attempt that reads the job; None if there is none. attempts: begun so far, without those
    that ended in good order. stored: `storage` of the answer of `/ocr`, as JSON values.
    """

    state: JobState = JobState.ARRIVING
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    expires: float | None = None
    done: Sequence[int] = ()
    failed: Sequence[int] = ()
    final: int = 0
    token: str | None = None
    attempts: int = 0
    engine: JobEngine | None = None
    error: JobError | None = None
    stored: Mapping[str, Any] | None = None

    @property
    def result_pages(self) -> Sequence[int]:
        """Numbers of the pages that are read, in order; positions from 0 if they were restructured."""
        return range(self.final) if self.final else sorted(self.done)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job and its place in the queue.

    jobs_ahead: number of jobs that were submitted before and wait. pages_ahead: number of pages that are left
    before. Both are 0 if the job is at its end.
    """

    job: Job
    jobs_ahead: int = 0
    pages_ahead: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What an attempt has done so far; see `Job`."""

    done: Sequence[int]
    failed: Sequence[int]
    engine: JobEngine


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job wants of the pipeline.

    pages: selection such as "1-3,7"; None for all. cached: the cache may be used. shared: also its store.
    stored: the result is to be stored as that of a request is.
    """

    pages: str | None
    options: Options
    cached: bool = True
    shared: bool = True
    stored: bool = False
