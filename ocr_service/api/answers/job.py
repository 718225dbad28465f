"""The answers about jobs."""

from datetime import UTC, datetime

from pydantic import Field

from ocr_service.api.answers.document import EXAMPLE_ENGINE, EngineAnswer
from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.api.answers.storage import EXAMPLE_STORAGE, StorageAnswer
from ocr_service.jobs.job import Job, JobError, JobState, JobStatus

_EXAMPLE_TIME = "2026-03-15T09:41:07Z"
_EXAMPLE_ERROR = {
    "status": 422,
    "code": "broken_document",
    "title": "The file is damaged",
    "detail": "The PDF is damaged.",
}


class JobErrorAnswer(Answer):
    """Why a job failed."""

    status: int = Field(description="The HTTP status that `/ocr` would have answered.", examples=[422])
    code: str = Field(description="Stable code of the error.", examples=["broken_document"])
    title: str = Field(description="Type of the error, for people.", examples=["The file is damaged"])
    detail: str = Field(description="Description of this error.", examples=["The PDF is damaged."])

    @classmethod
    def of(cls, error: JobError) -> "JobErrorAnswer":
        return cls(status=error.status, code=error.code, title=error.title, detail=error.detail)


class JobAnswer(Answer):
    """A job."""

    id: str = Field(description="Id of the job.", examples=[EXAMPLE_ID])
    state: JobState = Field(
        description="`pending`, `running`, `done`, `failed` or `cancelled`.", examples=["running"]
    )
    file_name: str = Field(description="Name of the file, or an empty text.", examples=["contract.pdf"])
    request_id: str = Field(
        description="Id of the request that submitted the job, as in the log.", examples=[EXAMPLE_ID]
    )
    batch: str | None = Field(
        description="The label that the job shares with others, or null.", examples=["archive 2026"]
    )
    pages_total: int = Field(description="Number of selected pages.", examples=[300])
    pages_done: int = Field(description="Number of pages that are read.", examples=[120])
    failed_pages: list[int] = Field(
        description="Numbers of the pages with an error: their text, or a part of it, is missing.",
        examples=[[17]],
    )
    created: str = Field(description="Time of the submit.", examples=[_EXAMPLE_TIME])
    started: str | None = Field(description="Time of the first attempt, or null.", examples=[_EXAMPLE_TIME])
    ended: str | None = Field(description="Time of the end, or null.", examples=[_EXAMPLE_TIME])
    expires: str | None = Field(
        description="Time when a job that has ended is deleted with its result, or null.",
        examples=["2026-03-16T09:45:12Z"],
    )
    attempts: int = Field(
        description="Attempts so far; more than one if a process ended while it read the job.", examples=[1]
    )
    engine: EngineAnswer | None = Field(
        description="The engine that reads the job; null before.", examples=[EXAMPLE_ENGINE]
    )
    error: JobErrorAnswer | None = Field(
        description="Reason if the job failed, else null.", examples=[_EXAMPLE_ERROR]
    )
    storage: StorageAnswer | None = Field(
        description="The stored files of the result, as in the answer of `/ocr`; null if it is not stored.",
        examples=[EXAMPLE_STORAGE],
    )

    @classmethod
    def of(cls, job: Job) -> "JobAnswer":
        return cls(**_values(job))


class JobStatusAnswer(JobAnswer):
    """A job, and how long it still takes."""

    position: int | None = Field(
        description="Position among the pending jobs, from 1; null if the job is not pending. The callers "
        "take turns, so a job can overtake another.",
        examples=[None],
    )
    estimate: float | None = Field(
        description="Seconds until the end, from the recent speed; null if unknown.", examples=[94.5]
    )

    @classmethod
    def with_estimate(cls, status: JobStatus, pages_a_second: float | None) -> "JobStatusAnswer":
        """Make the answer. pages_a_second: recent speed of the service, if it is known."""
        job = status.job
        left = status.pages_ahead + len(job.pages) - len(job.done)
        estimate = round(left / pages_a_second, 1) if pages_a_second and job.state.is_open else None
        position = status.jobs_ahead + 1 if job.state is JobState.PENDING else None
        return cls(**_values(job), position=position, estimate=estimate)


class JobsAnswer(Answer):
    """Jobs, the newest first."""

    jobs: list[JobAnswer] = Field(description="The jobs.", examples=[[]])
    next: str | None = Field(
        description="Value of `before` for the next page; null on the last one.", examples=[EXAMPLE_ID]
    )


class JobPageEvent(Answer):
    """Data of the event `page`: a page is read."""

    page: int = Field(description="Number of the page.", examples=[3])
    failed: bool = Field(description="Whether text of the page is missing.", examples=[False])
    pages_done: int = Field(description="Pages that are read so far.", examples=[120])
    pages_total: int = Field(description="Number of selected pages.", examples=[300])


def _values(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "state": job.state,
        "file_name": job.name,
        "request_id": job.request_id,
        "batch": job.batch,
        "pages_total": len(job.pages),
        "pages_done": len(job.done),
        "failed_pages": sorted(job.failed),
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "expires": _time(job.expires),
        "attempts": job.attempts,
        "engine": EngineAnswer.of(job.engine) if job.engine else None,
        "error": JobErrorAnswer.of(job.error) if job.error else None,
        "storage": job.stored,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
