"""Errors → `application/problem+json` answers (RFC 9457)."""

from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

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
    return _ErrorResponse(problem, headers)


class _ErrorResponse(Response):
    """A problem; but on the paths of `app.state.error_bodies`, whose clients know another form, in theirs."""

    def __init__(self, problem: Problem, headers: dict[str, str]) -> None:
        super().__init__(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
        self._problem = problem
        self._also = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        error_body = scope["app"].state.error_bodies.get(path)
        if error_body is None:
            await super().__call__(scope, receive, send)
        else:
            body = error_body(scope, self._problem)
            response = Response(body, self.status_code, self._also, "application/json")
            await response(scope, receive, send)
