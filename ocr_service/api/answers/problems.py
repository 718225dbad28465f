"""Errors → `application/problem+json` answers (RFC 9457)."""

from http import HTTPStatus

from fastapi import Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from ocr_service.api.answers.document import EXAMPLE_ID, Answer
from ocr_service.core.errors import OcrError
from ocr_service.telemetry.request_context import request_id

MEDIA_TYPE = "application/problem+json"


class Problem(Answer):
    """An error, as RFC 9457 describes it."""

    type: str = Field(
        description="A URI that names the kind of error; it stays the same between releases.",
        examples=["urn:ocr-service:error:too_many_pixels"],
    )
    title: str = Field(description="The kind of error, in words.", examples=["The image has too many pixels"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(
        description="What happened this time, and what helps.",
        examples=["The image has 25000 x 25000 pixels; at most 100 megapixels are accepted."],
    )
    code: str = Field(description="The kind of error, for programs.", examples=["too_many_pixels"])
    request_id: str = Field(
        description="The request's id, as in the header `X-Request-ID` and in the log.",
        examples=[EXAMPLE_ID],
    )

    @classmethod
    def of(cls, error: OcrError, request_id: str) -> "Problem":
        return cls.named(error.status, error.code, error.title, error.detail, request_id)

    @classmethod
    def named(cls, status: int, code: str, title: str, detail: str, request_id: str) -> "Problem":
        """Make a problem of its parts, for errors that are not ours, such as a path that is not there."""
        return cls(
            type=f"urn:ocr-service:error:{code}",
            title=title,
            status=status,
            detail=detail,
            code=code,
            request_id=request_id,
        )


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
