"""The answers of PaddleOCR's jobs API, with its names and structure."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from ocr_service.api.answers.layout_parsing import CamelAnswer
from ocr_service.api.answers.model import EXAMPLE_ID
from ocr_service.api.requests.layout_fields import with_paddlex_names
from ocr_service.jobs.job import Job, JobState

_EXAMPLE_TIME = "2026-03-15 09:41:07"
_EXAMPLE_PROGRESS = {
    "totalPages": 300,
    "extractedPages": 120,
    "startTime": _EXAMPLE_TIME,
    "endTime": None,
}
_EXAMPLE_URL = {
    "jsonUrl": f"https://ocr.example.com/api/v2/ocr/results/{EXAMPLE_ID}/result.jsonl?e=1773567000&s=9c…"
}
# Clients know no other states.
_STATES: dict[JobState, Literal["pending", "running", "done", "failed"]] = {
    JobState.PENDING: "pending",
    JobState.RUNNING: "running",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}


class PaddleProgress(CamelAnswer):
    """The progress of a job. Some clients need all fields."""

    total_pages: int = Field(description="Number of selected pages.", examples=[300])
    extracted_pages: int = Field(description="Number of pages that are read.", examples=[120])
    start_time: str | None = Field(
        description="Time of the first attempt (UTC), or null.", examples=[_EXAMPLE_TIME]
    )
    end_time: str | None = Field(description="Time of the end (UTC), or null.", examples=[_EXAMPLE_TIME])


class PaddleResultUrl(CamelAnswer):
    """The address of a result."""

    json_url: str = Field(
        description="Address of the result: JSON Lines, one page a line. It needs no key and is valid for a "
        "day; each answer has a new one.",
        examples=[_EXAMPLE_URL["jsonUrl"]],
    )


class PaddleJob(CamelAnswer):
    """A job."""

    job_id: str = Field(description="Id of the job.", examples=[EXAMPLE_ID])
    state: Literal["pending", "running", "done", "failed"] = Field(
        description="State of the job; a cancelled job is `failed`.", examples=["running"]
    )
    extract_progress: PaddleProgress = Field(description="Progress of the job.", examples=[_EXAMPLE_PROGRESS])
    result_url: PaddleResultUrl | None = Field(
        None,
        description="Address of the result; only if the job is done.",
        examples=[_EXAMPLE_URL],
        exclude_if=lambda url: url is None,
    )
    error_msg: str | None = Field(
        None,
        description="Reason if the job failed.",
        examples=["The PDF is damaged."],
        exclude_if=lambda message: message is None,
    )
    failed_pages: list[int] = Field(
        description="Numbers of the pages with an error: their text, or a part of it, is missing. "
        "`prunedResult` of the page has the error.",
        examples=[[17]],
    )

    @classmethod
    def of(cls, job: Job, result_url: str | None) -> "PaddleJob":
        return cls(
            job_id=job.id,
            state=_STATES[job.state],
            extract_progress=PaddleProgress(
                total_pages=len(job.pages),
                extracted_pages=len(job.done),
                start_time=_time(job.started),
                end_time=_time(job.ended),
            ),
            result_url=PaddleResultUrl(json_url=result_url) if result_url else None,
            error_msg=_reason(job),
            failed_pages=sorted(job.failed),
        )


class PaddleSubmitted(CamelAnswer):
    """A job that was accepted."""

    job_id: str = Field(description="Id of the job.", examples=[EXAMPLE_ID])


class PaddleBatch(CamelAnswer):
    """The jobs that share a label."""

    batch_id: str = Field(description="The label.", examples=["contracts"])
    extract_result: list[PaddleJob] = Field(
        description="The jobs, in the order of their submits; none if the label is unknown.", examples=[[]]
    )


class _Success(CamelAnswer):
    code: Literal[0] = Field(0, description="Always 0: no error.", examples=[0])
    msg: Literal["Success"] = Field("Success", description="Always `Success`.", examples=["Success"])


class PaddleSubmittedAnswer(_Success):
    """The answer to a submit."""

    data: PaddleSubmitted = Field(description="The job.", examples=[{"jobId": EXAMPLE_ID}])


class PaddleJobAnswer(_Success):
    """The answer about a job."""

    data: PaddleJob = Field(
        description="The job.",
        examples=[{"jobId": EXAMPLE_ID, "state": "running", "extractProgress": _EXAMPLE_PROGRESS}],
    )


class PaddleBatchAnswer(_Success):
    """The answer about a batch."""

    data: PaddleBatch = Field(
        description="The batch.", examples=[{"batchId": "contracts", "extractResult": []}]
    )


class PaddleJobError(CamelAnswer):
    """An error, in the format of PaddleOCR's jobs API."""

    code: int = Field(description="The HTTP status.", examples=[400])
    msg: str = Field(
        description="Description of the error, in one sentence.", examples=["The PDF needs a password."]
    )
    # A client cannot be generated for a type that has null alone.
    data: dict[str, object] | None = Field(None, description="Always null.", examples=[None])
    trace_id: str = Field(
        description="Id of the request, as in the header `X-Request-ID`.", examples=[EXAMPLE_ID]
    )


def _reason(job: Job) -> str | None:
    if job.state is JobState.CANCELLED:
        return "The job was cancelled."
    return with_paddlex_names(job.error.detail) if job.error else None


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
