"""Errors → `application/problem+json` answers (RFC 9457)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.api.middleware.request_line import allowed_methods
from ocr_service.core.errors import OcrError, RequestError
from ocr_service.telemetry.request_context import request_id

MEDIA_TYPE = "application/problem+json"


class Problem(Answer):
    """An error, as RFC 9457 describes it."""

    type: str = Field(
        description="URI of the type of error; stable between releases.",
        examples=["urn:ocr-service:error:too_many_pixels"],
    )
    title: str = Field(
        description="Type of the error, for people.", examples=["The image has too many pixels"]
    )
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(
        description="Description of this error, with advice.",
        examples=["The image has 25000 x 25000 pixels; at most 100 megapixels are accepted."],
    )
    code: str = Field(description="Type of the error, for programs.", examples=["too_many_pixels"])
    request_id: str = Field(
        description="Id of the request, as in the header `X-Request-ID` and in the log.",
        examples=[EXAMPLE_ID],
    )

    @classmethod
    def of(cls, error: OcrError, request_id: str) -> "Problem":
        return cls.named(error.status, error.code, error.title, error.detail, request_id)

    @classmethod
    def named(cls, status: int, code: str, title: str, detail: str, request_id: str) -> "Problem":
        """Make a problem for an error of the framework, such as an unknown path."""
        return cls(
            type=f"urn:ocr-service:error:{code}",
            title=title,
            status=status,
            detail=detail,
            code=code,
            request_id=request_id,
        )


def problem_response(error: OcrError) -> Response:
    """Make the answer for an error of the service."""
    return _ErrorResponse(Problem.of(error, request_id.get()), error.headers)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error of the service or of the framework, such as a wrong method or parameter."""
    if isinstance(error, OcrError):
        return problem_response(error)
    if isinstance(error, RequestValidationError):
        return problem_response(RequestError(_validation_message(error)))
    assert isinstance(error, HTTPException)
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = allowed_methods(request.scope, _methods(request))
    detail = _detail(request, status, headers.get("Allow"))
    problem = Problem.named(status, status.name.lower(), status.phrase, detail, request_id.get())
    return _ErrorResponse(problem, headers)


def _validation_message(error: RequestValidationError) -> str:
    """Name each parameter with its fault, without the value."""
    return "; ".join(f"{detail['loc'][-1]}: {detail['msg']}" for detail in error.errors())


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes with the path of the request; the framework names those of one."""
    matching = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in getattr(route, "methods", None) or ()}


def _detail(request: Request, status: HTTPStatus, allowed: str | None) -> str:
    if status == HTTPStatus.NOT_FOUND:
        detail = "The service does not have this path. A document is sent to POST /ocr."
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"The methods of this path are {allowed}."
    else:
        return status.description or status.phrase
    # Without the page, its path is unknown too.
    page = f"{request.scope.get('root_path', '')}/docs" if request.app.openapi_url else ""
    return f"{detail} The page {page} describes all paths." if page else detail


ErrorBody = Callable[[Scope, Problem], tuple[int, str]]
"""Returns the status and the JSON body of a problem in the format of another API."""


class _ErrorResponse(Response):
    """A problem. The paths in `app.state.error_bodies`, and those below them, have their own `ErrorBody`."""

    def __init__(self, problem: Problem, headers: dict[str, str]) -> None:
        super().__init__(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)
        self._problem = problem
        self._error_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error_body = _own_format(scope)
        if error_body is None:
            await super().__call__(scope, receive, send)
        else:
            status, body = error_body(scope, self._problem)
            response = Response(body, status, self._error_headers, "application/json")
            await response(scope, receive, send)


def _own_format(scope: Scope) -> ErrorBody | None:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    formats: Mapping[str, ErrorBody] = scope["app"].state.error_bodies
    return next((made for prefix, made in formats.items() if f"{path}/".startswith(f"{prefix}/")), None)
