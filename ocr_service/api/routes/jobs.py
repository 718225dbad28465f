"""`/jobs`: documents that are read in the background."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from ocr_service.api import openapi, reading
from ocr_service.api.answers.document import PageAnswer, ResultAnswer
from ocr_service.api.answers.job import JobAnswer, JobsAnswer, JobStatusAnswer
from ocr_service.api.answers.job_result import job_result, json_parts, ndjson_lines, text_pages
from ocr_service.api.answers.rendered import rendered
from ocr_service.api.answers.streaming import begun
from ocr_service.api.job_faces import OCR, asked_of, fields_of
from ocr_service.api.middleware.api_keys import caller_of, owner
from ocr_service.api.openapi_jobs import JOB_PAGE_RESPONSES, JOB_RESPONSES, JOB_RESULT_RESPONSES
from ocr_service.api.openapi_requests import JOB_REQUEST
from ocr_service.api.reading import Admitted
from ocr_service.api.requests.accept import NDJSON, PDF_FORMS, File, Form, answer_form
from ocr_service.api.requests.body import read_body, unique_fields
from ocr_service.api.requests.ocr_fields import check_names, read_fields
from ocr_service.api.service import Service, service_of
from ocr_service.api.submitting import BATCH_PATTERN, MAX_BATCH, check_jobs, submit
from ocr_service.core.documents import PageResult
from ocr_service.core.errors import (
    JobCancelled,
    JobLost,
    JobNotDone,
    OcrError,
    RequestError,
    error_kinds,
)
from ocr_service.exports.pdf.writing import Original
from ocr_service.jobs.contents import check_page
from ocr_service.jobs.job import Job, JobError, JobState

router = openapi.router(openapi.JOBS)

_MAX_LISTED = 100
# Parameters of a submit that `/ocr` does not have.
CALLBACK_URL, BATCH = "callback_url", "batch"

States = Literal["pending", "running", "done", "failed", "cancelled"]


@router.post(
    "/jobs",
    status_code=202,
    summary="Submit a document",
    response_model=JobStatusAnswer,
    responses=JOB_RESPONSES,
    openapi_extra=JOB_REQUEST,
)
async def submit_job(
    request: Request,
    callback_url: Annotated[str | None, Query(json_schema_extra={"format": "uri"})] = None,
    batch: Annotated[str | None, Query(max_length=MAX_BATCH, pattern=BATCH_PATTERN)] = None,
) -> Response:
    """Send a document and its fields as to `POST /ocr`; it is read in the background.

    The header `Location` of the answer is the address of the job. A repeated submit with the same header
    `Idempotency-Key` answers with the same job. The URL `callback_url`, in the query, gets a POST with the
    job when that is at its end. Jobs can share a label, `batch`, also in the query; `GET /jobs` finds them by
    it. `POST /ocr` with the header `Prefer: respond-async` does the same as this path.
    """
    check_jobs(request)
    async with reading.admit(request, waits=False) as admitted:
        job = await _submitted(admitted, callback_url or None, batch)
        status = await _status_of(request, job.id)
    location = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return Response(status.model_dump_json(), 202, {"Location": location}, "application/json")


@router.get("/jobs", summary="List the jobs", response_model=JobsAnswer, responses=openapi.PROBLEM_RESPONSES)
async def list_jobs(
    request: Request,
    state: States | None = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_LISTED)] = 20,
    before: str | None = None,
    batch: str | None = None,
) -> JobsAnswer:
    """Return the jobs of the caller's API key, the newest first."""
    jobs = service_of(request).jobs
    chosen = JobState(state) if state else None
    found = await jobs.newest(owner(request.scope), limit, before, chosen, batch)
    following = found[-1].id if len(found) == limit else None
    return JobsAnswer(jobs=[JobAnswer.of(job) for job in found], next=following)


@router.get(
    "/jobs/{job_id}",
    summary="Look at a job",
    response_model=JobStatusAnswer,
    responses=openapi.PROBLEM_RESPONSES,
)
async def get_job(request: Request, job_id: str) -> JobStatusAnswer:
    """Return the state of a job; it is answered to the last, also while the service stops."""
    return await _status_of(request, job_id)


@router.delete(
    "/jobs/{job_id}",
    summary="Cancel or delete a job",
    response_model=JobAnswer,
    responses=openapi.PROBLEM_RESPONSES,
)
async def delete_job(request: Request, job_id: str) -> JobAnswer:
    """Cancel a job that is not at its end; delete one that is, with its document and its result."""
    return JobAnswer.of(await service_of(request).jobs.cancel(job_id, owner(request.scope)))


@router.get(
    "/jobs/{job_id}/result",
    summary="Fetch the result of a job",
    response_model=ResultAnswer,
    responses=JOB_RESULT_RESPONSES,
)
async def get_result(
    request: Request,
    job_id: str,
    format: Literal["json"] | File | None = None,  # noqa: A002 - the name of the field of /ocr
    images: bool = True,
    partial: bool = False,
) -> Response:
    """Return the result as `/ocr` does; `format` or the `Accept` header chooses the form.

    With `partial=true` it has the pages that are there already; the header `X-Job-State` says whether the job
    is done.
    """
    service = service_of(request)
    job = await service.jobs.get(job_id, owner(request.scope))
    if not partial:
        _refuse_unless_done(job)
    form = answer_form(format, request.headers.getlist("accept"))
    headers = {openapi.JOB_STATE: job.state.value, "Vary": "Accept"}
    if form in ("json", "stream"):
        return await _streamed(service, job, form, images, headers)
    return await _file(service, job, form, headers)


@router.get(
    "/jobs/{job_id}/pages/{number}/picture",
    summary="Fetch the picture of a page of a job",
    response_class=Response,
    responses={
        **openapi.PROBLEM_RESPONSES,
        200: {"description": "A JPEG file.", "content": {"image/jpeg": {}}},
    },
)
async def get_picture(request: Request, job_id: str, number: int) -> Response:
    """Return a page as the engine sees it."""
    service = service_of(request)
    job = await service.jobs.get(job_id, owner(request.scope))
    check_page(job, number)
    async with service.jobs.contents.document(job) as document:
        picture = await service.pipeline.picture(document, number, caller_of(request.scope))
    return Response(picture, media_type="image/jpeg")


@router.get(
    "/jobs/{job_id}/pages/{number}",
    summary="Fetch a page of a job",
    response_model=PageAnswer,
    responses=JOB_PAGE_RESPONSES,
)
async def get_page(
    request: Request,
    job_id: str,
    number: int,
    format: Literal["json", "markdown", "text", "html"] = "json",  # noqa: A002 - as above
    images: bool = True,
) -> Response:
    """Return a page as soon as it is read."""
    service = service_of(request)
    job = await service.jobs.get(job_id, owner(request.scope))
    page = await service.jobs.contents.page(job, number)
    if format == "json":
        make = partial(PageAnswer.of, page, images, fields_of(job).words)
        body = await asyncio.to_thread(lambda: make().model_dump_json())
        return Response(body, 200, media_type="application/json")
    return await _rendered(service, job, [page], format, {})


async def _submitted(admitted: Admitted, callback_url: str | None, batch: str | None) -> Job:
    query = unique_fields(admitted.request.query_params.multi_items())
    for name in (CALLBACK_URL, BATCH):
        query.pop(name, None)
    if callback_url is not None:
        admitted.service.jobs.check_callback(callback_url)
    body = await read_body(admitted.body, check_names)
    fields = read_fields(query, body.fields)
    if fields.timeout is not None:
        raise RequestError("timeout: a job has none; it is read to its end, or until it is cancelled.")
    if fields.password is not None:
        raise RequestError("password: a job has none, because its fields are stored; use /ocr.")
    asked = asked_of(fields)
    return await submit(
        admitted,
        body.document,
        body.name,
        OCR,
        asked,
        fields.selection,
        fields.recognition(fields.format, finds_words=admitted.service.pipeline.engine.finds_words),
        batch=batch,
        callback_url=callback_url,
    )


async def _status_of(request: Request, job_id: str) -> JobStatusAnswer:
    service = service_of(request)
    status = await service.jobs.status(job_id, owner(request.scope))
    return JobStatusAnswer.with_estimate(status, service.admission.slots.pages_a_second)


def _refuse_unless_done(job: Job) -> None:
    """Raise the error that the result of a job has instead of pages."""
    if job.state is JobState.DONE:
        return
    if job.state is JobState.CANCELLED:
        raise JobCancelled("The job was cancelled, and its pages are deleted.")
    if job.error is not None:
        raise _raised(job.error)
    raise JobNotDone(
        f"{len(job.done)} of {len(job.pages)} pages are read. With partial=true, the answer has these pages."
    )


def _raised(error: JobError) -> OcrError:
    kinds = {kind.code: kind for kind in error_kinds()}
    return kinds.get(error.code, JobLost)(error.detail)


async def _streamed(
    service: Service, job: Job, form: Form, images: bool, headers: dict[str, str]
) -> Response:
    """Answer page by page. If a page is gone from the storage, the connection breaks off."""
    pages = await begun(service.jobs.contents.each_page(job))
    engine = job.engine or service.pipeline.engine
    answer_of = partial(PageAnswer.of, images=images, words=fields_of(job).words)
    if form == "stream":
        return StreamingResponse(ndjson_lines(job, engine, pages, answer_of), 200, headers, NDJSON)
    return StreamingResponse(json_parts(job, engine, pages, answer_of), 200, headers, "application/json")


async def _file(service: Service, job: Job, form: Form, headers: dict[str, str]) -> Response:
    contents = service.jobs.contents
    if form in ("markdown", "text"):
        return await _rendered(service, job, await text_pages(contents.each_page(job)), form, headers)
    is_pdf = form in PDF_FORMS
    if is_pdf:
        _refuse_unless_pdf(job)
    async with contents.whole(job, with_document=is_pdf) as whole:
        original = Original(whole.document, service.pipeline.limits) if whole.document else None
        return await _rendered(service, job, whole.pages, form, headers, original)


async def _rendered(
    service: Service,
    job: Job,
    pages: Sequence[PageResult],
    form: Form,
    headers: dict[str, str],
    original: Original | None = None,
) -> Response:
    result, engine = job_result(job, pages), job.engine or service.pipeline.engine
    made = await rendered(result, form, engine.name, job.name, original)
    headers = headers | reading.quality_headers(result, made.warnings)
    return Response(made.file.body, 200, headers, made.file.content_type)


def _refuse_unless_pdf(job: Job) -> None:
    """Raise an error if the pages of a job cannot be a PDF."""
    if job.final:
        raise RequestError("The pages were restructured, which moves text, so a PDF cannot have it.")
    if not job.done:
        raise JobNotDone("No page is read yet, and a PDF without pages is none.")
