"""The protocol, without a connection: each method is a generator that yields requests and gets the answers.

An interruption is thrown into it: it can still yield the request that cancels its job, and then raises it.
The same steps serve the synchronous and the asynchronous client.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from ocr_client.errors import OcrError, ServiceUnreachable
from ocr_client.results import Document, Job, Page
from ocr_client.sources import Upload

T = TypeVar("T")

# Answers of a gateway, or of a service that starts, drains or is full.
_TEMPORARY = frozenset((429, 502, 503, 504))
_NO_JOBS = "jobs_not_configured"
# Seconds between two looks at a job, and before another try.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# Sending a document and reading a page can take minutes. An interruption must not.
_PATIENCE, _PATIENCE_AT_THE_END = 600.0, 5.0


@dataclass(frozen=True)
class Call:
    """A request. It is safe to repeat. patience: seconds for which the service may be silent."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = _PATIENCE


@dataclass(frozen=True)
class Pause:
    """Wait for so many seconds. reason: the error after which the same is asked again."""

    seconds: float
    reason: OcrError | None = None


class Closed(BaseException):
    """The caller wants no more pages. Unlike after a GeneratorExit, requests can still be yielded."""


Step = Call | Pause | Job | Page
Answer = httpx.Response | httpx.RequestError | None
Steps = Generator[Step, Answer, T]


@dataclass(frozen=True)
class Protocol:
    """patience: seconds for which an answer that is missing or temporary is asked for again."""

    patience: float

    def read(self, upload: Upload, fields: Mapping[str, str]) -> Steps[Document]:
        """Read a document: a long one as a job, another one at once."""
        files = yield from self.exports(upload, fields, ["json"])
        return Document.of(files["json"])

    def exports(
        self, upload: Upload, fields: Mapping[str, str], forms: Sequence[str]
    ) -> Steps[dict[str, bytes]]:
        """Read a document; return it in formats of the service. A job reads it once for all of them."""
        # A job that is to become a PDF keeps more than others, and so has every format.
        most = {**fields, "format": "pdf" if "pdf" in forms else forms[0]}
        job = (yield from self.submitted_if_long(upload, most)) if upload.may_be_long else None
        if job is not None:
            yield from self._or_cancelled(job, self.finished(job))
        files = {}
        for form in forms:
            if job is not None:
                answer = yield from self.result(job.id, form)
            else:
                answer = yield from self._answer(_request("/ocr", upload, {**fields, "format": form}))
            files[form] = answer.content
        return files

    def pages(self, upload: Upload, fields: Mapping[str, str]) -> Steps[None]:
        """Yield each page as soon as it is read; among them the requests."""
        job = yield from self.submitted_if_long(upload, fields)
        if job is None:
            document = yield from self.read(upload, fields)
            yield from document.pages
            return
        job = yield from self._or_cancelled(job, self._pages_of(job))
        _refuse_failed(job)

    def _pages_of(self, job: Job) -> Steps[Job]:
        """Yield the pages of a job to its end; return it."""
        seen: set[int] = set()
        ended = False
        while not ended:
            job = yield from self._looked_at(job)
            ended = not job.is_open
            answer = yield from self._answer(
                Call("GET", f"/jobs/{job.id}/result", {"partial": "true", "format": "json"})
            )
            for page in Document.of(answer.content).pages:
                if page.index not in seen:
                    seen.add(page.index)
                    yield page
        return job

    def submit(self, upload: Upload, fields: Mapping[str, str]) -> Steps[Job]:
        """Submit a job."""
        call = _request("/jobs", upload, fields, {"Idempotency-Key": uuid.uuid4().hex})
        return Job.of((yield from self._answer(call)).content)

    def submitted_if_long(self, upload: Upload, fields: Mapping[str, str]) -> Steps[Job | None]:
        """Submit a job; return None if the service has no jobs."""
        try:
            return (yield from self.submit(upload, fields))
        except OcrError as error:
            if error.code == _NO_JOBS:
                return None
            raise

    def job(self, job_id: str) -> Steps[Job]:
        """Return the present state of a job."""
        return Job.of((yield from self._answer(Call("GET", f"/jobs/{job_id}"))).content)

    def cancel(self, job_id: str) -> Steps[None]:
        """Cancel an open job, or delete one that has ended."""
        yield from self._answer(Call("DELETE", f"/jobs/{job_id}"))

    def result(self, job_id: str, form: str) -> Steps[httpx.Response]:
        """Return the result of a job that is done."""
        return (yield from self._answer(Call("GET", f"/jobs/{job_id}/result", {"format": form})))

    def finished(self, job: Job) -> Steps[Job]:
        """Wait until a job is done; yield its states. Raises OcrError if it fails."""
        pause = _FIRST_PAUSE
        while job.is_open:
            yield job
            yield Pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            job = yield from self.job(job.id)
        yield job
        _refuse_failed(job)
        return job

    def _or_cancelled(self, job: Job, steps: Steps[T]) -> Steps[T]:
        """Take steps that wait for a job of our own; an interruption cancels it."""
        try:
            return (yield from steps)
        except OcrError:
            raise
        except BaseException:
            yield Call("DELETE", f"/jobs/{job.id}", patience=_PATIENCE_AT_THE_END)
            raise

    def _looked_at(self, job: Job) -> Steps[Job]:
        """Wait until pages were read since the last look, or the job has ended."""
        pause, done = _FIRST_PAUSE, job.pages_done
        while True:
            job = yield from self.job(job.id)
            if not job.is_open or job.pages_done > done:
                return job
            yield Pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _answer(self, call: Call) -> Steps[httpx.Response]:
        """Return a good answer; a missing or temporary one is asked for again."""
        left, pause = self.patience, _FIRST_PAUSE
        while True:
            answer = yield call
            assert isinstance(answer, (httpx.Response, httpx.RequestError))
            if isinstance(answer, httpx.Response) and answer.is_success:
                return answer
            wait = max(pause, _retry_after(answer))
            error = _error(answer)
            if wait > left or not _is_temporary(answer):
                raise error
            yield Pause(wait, error)
            left -= wait
            pause = min(pause * 2, _LONGEST_PAUSE)


def _request(
    path: str, upload: Upload, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Call:
    headers = headers or {}
    if upload.data is None:
        return Call("POST", path, data={**fields, "image_url": upload.address}, headers=headers)
    return Call("POST", path, data=fields, files={"file": (upload.name, upload.data)}, headers=headers)


def _is_temporary(answer: httpx.Response | httpx.RequestError) -> bool:
    if isinstance(answer, httpx.RequestError):
        return True
    return answer.status_code in _TEMPORARY and _problem(answer).get("code") not in (
        _NO_JOBS,
        "request_timed_out",
    )


def _retry_after(answer: httpx.Response | httpx.RequestError) -> float:
    text = answer.headers.get("Retry-After", "") if isinstance(answer, httpx.Response) else ""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _error(answer: httpx.Response | httpx.RequestError) -> OcrError:
    if isinstance(answer, httpx.RequestError):
        return ServiceUnreachable(f"The service cannot be reached: {answer or type(answer).__name__}")
    return OcrError.of(answer.status_code, _problem(answer))


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _refuse_failed(job: Job) -> None:
    if job.state == "done":
        return
    if job.error:
        raise OcrError(0, job.error.code, job.error.detail)
    raise OcrError(0, "", f"The job was {job.state}.")
