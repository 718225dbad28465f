"""The FastAPI app: its routes, errors and middleware. `server.py` adds the service that the routes use."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from ocr_service import __version__
from ocr_service.api import openapi
from ocr_service.api.answers.problems import answer_error
from ocr_service.api.lifespan import lifespan
from ocr_service.api.middleware.api_keys import Access
from ocr_service.api.middleware.request_line import RequestLine
from ocr_service.api.middleware.request_log import HEADER, RequestContext
from ocr_service.api.middleware.security_headers import SecurityHeaders
from ocr_service.api.paths import OpenPaths
from ocr_service.api.routes import (
    documentation,
    health,
    job_events,
    jobs,
    layout_parsing,
    liteparse,
    metrics,
    ocr,
    paddle_jobs,
    ui,
)
from ocr_service.core.engine import Engine
from ocr_service.core.errors import OcrError
from ocr_service.security.settings import AccessSettings

_ABOUT: dict[str, Any] = {
    "title": "OCR service",
    "description": "Documents in, Markdown, text and blocks out. Start with `POST /ocr`.",
    "version": __version__,
    "openapi_tags": openapi.TAGS,
    "redirect_slashes": False,
    # FastAPI's own telemetry would record query strings and error texts; `telemetry/` records neither.
    "telemetry": dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False),
}
# Response headers that scripts of other origins may read, besides the ones that every script may read.
_EXPOSED_HEADERS = (
    HEADER,
    openapi.STORAGE_STATUS,
    openapi.STORAGE_FOLDER,
    openapi.CONFIDENCE,
    openapi.WARNINGS,
    openapi.ERRORS,
    openapi.JOB_STATE,
    "ETag",
    "Location",
    "Retry-After",
)


def new_app(access: AccessSettings, engine: Engine) -> FastAPI:
    """Return the app without its service, which `app.state.service` must get before the start."""
    app = _app_with_docs() if access.docs else _app_without_docs()
    app.state.error_bodies = {**layout_parsing.ERROR_BODIES, **paddle_jobs.ERROR_BODIES}
    for module in (ocr, jobs, job_events, paddle_jobs, layout_parsing, liteparse, health, metrics):
        _add_routes(app, module.router)
    for module in (ocr, jobs, paddle_jobs, layout_parsing, liteparse):
        metrics.create_series(module.router, engine)
    for kind in (OcrError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer_error)
    _add_middleware(app, access)
    return app


def _app_with_docs() -> FastAPI:
    app = FastAPIOffline(docs_url=None, redoc_url=None, lifespan=lifespan, **_ABOUT)
    # Before the route of FastAPI for the OpenAPI document, which writes its JSON at each request.
    app.router.routes[:0] = documentation.router.routes
    _add_routes(app, ui.router)
    return app


def _app_without_docs() -> FastAPI:
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan, **_ABOUT)


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    # `include_router` builds each route a second time, at the first request: 30 ms.
    app.router.routes.extend(router.routes)


def _add_middleware(app: FastAPI, access: AccessSettings) -> None:
    """Wrap the routes in the middleware, from the innermost to the outermost."""
    keys = access.keys
    open_paths = OpenPaths(access.docs, access.metrics_public) if keys else None
    openapi.complete(app, open_paths)
    app.add_middleware(RequestLine)
    if open_paths is not None:
        app.add_middleware(Access, keys=keys, open_paths=open_paths)
    app.add_middleware(RequestContext)
    # CORS lies outside, so that scripts can read error responses too, and a preflight request needs no key
    # and writes no log line.
    if access.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.cors_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("*",),
            expose_headers=_EXPOSED_HEADERS,
        )
    app.add_middleware(SecurityHeaders)
