"""`/api/v2/ocr/jobs`: the jobs API that PaddleOCR's SDKs and command line speak."""

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Scope

from ocr_service.api import openapi, reading
from ocr_service.api.answers.paddle_jobs import (
    PaddleBatch,
    PaddleBatchAnswer,
    PaddleJob,
    PaddleJobAnswer,
    PaddleJobError,
    PaddleSubmitted,
    PaddleSubmittedAnswer,
)
from ocr_service.api.answers.paddle_result import page_line
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.streaming import begun
from ocr_service.api.job_faces import PADDLE, paddle_fields_of
from ocr_service.api.middleware.api_keys import owner
from ocr_service.api.openapi_paddle_jobs import ERRORS, PICTURE_RESPONSES, RESULT_RESPONSES, SUBMIT_REQUEST
from ocr_service.api.paths import SIGNED
from ocr_service.api.reading import Admitted
from ocr_service.api.requests.layout_fields import with_paddlex_names
from ocr_service.api.requests.paddle_jobs import read_submit
from ocr_service.api.service import Service, service_of
from ocr_service.api.submitting import check_jobs, submit
from ocr_service.core.errors import PageNotInJob, RequestError
from ocr_service.jobs.job import Job, JobState

router = openapi.router(openapi.PADDLEOCR)

_PREFIX = "/api/v2/ocr"
_JOBS = f"{_PREFIX}/jobs"
_MAX_BATCH = 10_000
_NDJSON = "application/x-ndjson; charset=utf-8"
_WRONG_REQUEST = 422
# The field of `/ocr` in the messages about selections of pages.
_PAGES = re.compile(r"^pages(?=[:=])")
# The container of gzip, for zlib.
_GZIP = 31


@router.post(
    _JOBS,
    summary="Submit a document",
    response_model=PaddleSubmittedAnswer,
    responses=ERRORS,
    openapi_extra=SUBMIT_REQUEST,
)
async def submit_paddle_job(request: Request) -> PaddleSubmittedAnswer:
    """Send a document as a form, or its address as JSON; it is read in the background."""
    check_jobs(request)
    async with reading.admit(request, waits=False) as admitted:
        job = await _submitted(admitted)
    return PaddleSubmittedAnswer(data=PaddleSubmitted(job_id=job.id))


@router.get(
    f"{_JOBS}/batch/{{batch_id:path}}",
    summary="Look at the jobs of a batch",
    response_model=PaddleBatchAnswer,
    responses=ERRORS,
)
async def get_paddle_batch(request: Request, batch_id: str) -> PaddleBatchAnswer:
    """Return the jobs of the caller's API key that were submitted with this label."""
    jobs = await service_of(request).jobs.batch(owner(request.scope), batch_id, _MAX_BATCH + 1)
    if len(jobs) > _MAX_BATCH:
        raise RequestError(f"The batch has more than {_MAX_BATCH} jobs; look at each of them.")
    found = [_answer(request, job) for job in jobs]
    return PaddleBatchAnswer(data=PaddleBatch(batch_id=batch_id, extract_result=found))


@router.get(
    f"{_JOBS}/{{job_id}}",
    summary="Look at a job",
    response_model=PaddleJobAnswer,
    responses=ERRORS,
)
async def get_paddle_job(request: Request, job_id: str) -> PaddleJobAnswer:
    """Return the state of a job; it is answered to the last, also while the service stops."""
    job = await service_of(request).jobs.get(job_id, owner(request.scope))
    return PaddleJobAnswer(data=_answer(request, job))


@router.delete(
    f"{_JOBS}/{{job_id}}",
    summary="Cancel or delete a job",
    response_model=PaddleJobAnswer,
    responses=ERRORS,
)
async def delete_paddle_job(request: Request, job_id: str) -> PaddleJobAnswer:
    """Cancel a job that is not at its end; delete one that is, with its document and its result."""
    job = await service_of(request).jobs.cancel(job_id, owner(request.scope))
    return PaddleJobAnswer(data=PaddleJob.of(job, result_url=None))


@router.get(
    f"{SIGNED}/{{job_id}}/result.jsonl",
    summary="Fetch the result of a job",
    response_class=StreamingResponse,
    responses=RESULT_RESPONSES,
)
async def get_paddle_result(request: Request, job_id: str, e: int, s: str) -> Response:
    """Return one line for each page, at an address that the answer about the job has.

    `e` is the end of the address, in seconds since 1970, and `s` its signature.
    """
    service = service_of(request)
    job = await service.jobs.linked(job_id, _result_path(job_id), e, s)
    lines = await begun(_lines(request, service, job))
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        lines, headers["Content-Encoding"] = _compressed(lines), "gzip"
    return StreamingResponse(lines, headers=headers, media_type=_NDJSON)


@router.get(
    f"{SIGNED}/{{job_id}}/pages/{{position}}/{{name:path}}",
    summary="Fetch a picture of the result",
    response_class=Response,
    responses=PICTURE_RESPONSES,
)
async def get_paddle_picture(
    request: Request, job_id: str, position: int, name: str, e: int, s: str
) -> Response:
    """Return a picture of a page, at an address that the result has."""
    jobs = service_of(request).jobs
    job = await jobs.linked(job_id, _picture_path(job_id, position, name), e, s)
    page = await jobs.contents.result_page(job, position)
    picture = page.images.get(name) or page.drawings.get(name)
    if picture is None:
        raise PageNotInJob("The page has no picture with this name.")
    return Response(picture, media_type="image/jpeg")


def error_body(scope: Scope, problem: Problem) -> tuple[int, str]:
    """Return an error in the format of PaddleOCR's jobs API; its clients know 400, and not 422."""
    status = 400 if problem.status == _WRONG_REQUEST else problem.status
    message = _PAGES.sub("pageRanges", with_paddlex_names(problem.detail))
    return status, PaddleJobError(code=status, msg=message, trace_id=problem.request_id).model_dump_json()


ERROR_BODIES = {_PREFIX: error_body}


async def _submitted(admitted: Admitted) -> Job:
    sent = await read_submit(admitted.body)
    fields = sent.fields
    finds_words = admitted.service.pipeline.engine.finds_words
    return await submit(
        admitted,
        sent.document,
        sent.name,
        PADDLE,
        fields.stored(),
        fields.page_ranges or None,
        fields.recognition(finds_words),
        batch=fields.batch_id or None,
    )


def _answer(request: Request, job: Job) -> PaddleJob:
    is_done = job.state is JobState.DONE
    return PaddleJob.of(job, _address(request, _result_path(job.id)) if is_done else None)


def _result_path(job_id: str) -> str:
    return f"{SIGNED}/{job_id}/result.jsonl"


def _picture_path(job_id: str, position: int, name: str) -> str:
    return f"{SIGNED}/{job_id}/pages/{position}/{quote(name)}"


def _address(request: Request, path: str) -> str:
    """Return a signed address, with the scheme and the host that the client sees."""
    service = service_of(request)
    base = service.public_url or str(request.base_url)
    return base.rstrip("/") + service.jobs.signed(path)


async def _lines(request: Request, service: Service, job: Job) -> AsyncGenerator[bytes]:
    fields, position = paddle_fields_of(job), 0

    def address(name: str) -> str:
        return _address(request, _picture_path(job.id, position, name))

    async for page in service.jobs.contents.each_page(job):
        position += 1
        yield await asyncio.to_thread(page_line, page, job, fields, address)


async def _compressed(lines: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    compressor = zlib.compressobj(level=1, wbits=_GZIP)
    async for line in lines:
        yield await asyncio.to_thread(compressor.compress, line)
    yield compressor.flush()
