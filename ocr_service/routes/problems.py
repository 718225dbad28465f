"""Errors → `application/problem+json` answers (RFC 9457)."""

from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from ocr_service.errors import OcrError
from ocr_service.rendering import Problem
from ocr_service.request_context import request_id

MEDIA_TYPE = "application/problem+json"


def problem_response(error: OcrError) -> Response:
    """Make the answer for one of our errors."""
    return _response(Problem.of(error, request_id.get()), error.headers)


async def answer_error(_: Request, error: Exception) -> Response:
    """Answer any error: ours, and the framework's own (no such path, no such method)."""
    if isinstance(error, OcrError):
        return problem_response(error)
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    problem = Problem.named(
        status,
        status.name.lower(),
        status.phrase,
        status.description or status.phrase,
        request_id.get(),
    )
    return _response(problem, dict(error.headers or {}))


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
