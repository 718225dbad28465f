"""The OpenAPI document: tags, names of operations, answers of `/ocr`, and the API keys."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from ocr_service.api.answers.job import JobStatusAnswer
from ocr_service.api.answers.problems import MEDIA_TYPE as PROBLEM
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.rendered import DOCX, PDF
from ocr_service.api.answers.stream_events import EndEvent, ErrorEvent, PageEvent, StartEvent
from ocr_service.api.middleware.api_keys import API_KEY_HEADER
from ocr_service.api.openapi_requests import BYTES, DOCUMENT_SCHEMAS, QUERY_PARAMETERS, WHOLE_BODY
from ocr_service.api.paths import OpenPaths
from ocr_service.core.errors import Unauthorized, error_kinds

# They replace `storage` in answers that have no such field.
STORAGE_STATUS = "X-Storage-Status"
STORAGE_FOLDER = "X-Storage-Folder"
# They replace `confidence`, `warnings` and `error` of the pages in Markdown and plain text.
CONFIDENCE = "X-OCR-Confidence"
WARNINGS = "X-OCR-Warnings"
ERRORS = "X-OCR-Errors"
# The state of a job whose result is answered.
JOB_STATE = "X-Job-State"

DOCUMENTS, JOBS, PADDLEX, PADDLEOCR = "Documents", "Jobs", "PaddleX API", "PaddleOCR jobs API"
LITEPARSE, SERVICE = "LiteParse API", "Service"
TAGS = [
    {"name": DOCUMENTS, "description": "Read a document."},
    {"name": JOBS, "description": "Have a document read in the background, and fetch the result later."},
    {"name": PADDLEX, "description": "The API of `paddlex --serve` for PaddleOCR-VL, for its clients."},
    {"name": PADDLEOCR, "description": "The jobs API of PaddleOCR's cloud service, for its clients."},
    {"name": LITEPARSE, "description": "The API of the OCR servers of LiteParse, for its program `lit`."},
    {"name": SERVICE, "description": "Health and version; no API key is needed."},
]

_REFERENCE = "#/components/schemas/{model}"
_STREAM_EVENTS = (StartEvent, PageEvent, EndEvent, ErrorEvent)
_STREAM_EVENT = "StreamEvent"
_EXTRA_MODELS: tuple[type[BaseModel], ...] = (*_STREAM_EVENTS, Problem)


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, so that generated clients have short method names."""
    return route.name


def router(tag: str) -> APIRouter:
    """Return a router for operations with this tag."""
    return APIRouter(tags=[tag], generate_unique_id_function=operation_id)


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _event(model: type[BaseModel]) -> str:
    """Return the value of `event` in the lines of this kind."""
    name: str = model.model_fields["event"].default
    return name


def _problems(status: int) -> dict[str, Any]:
    return {"description": _codes(status), "content": {PROBLEM: {"schema": _ref(Problem)}}}


def _codes(status: int) -> str:
    kinds = {error.code: error.title for error in error_kinds() if error.status == status}
    return "; ".join(f"`{code}`: {title}" for code, title in kinds.items())


_STORAGE_HEADERS = {
    STORAGE_STATUS: {
        "description": "`status` of the storage, if the answer has no field `storage`.",
        "schema": {"type": "string", "examples": ["stored"]},
    },
    STORAGE_FOLDER: {
        "description": "`folder` in the storage, if the answer has no field `storage`.",
        "schema": {"type": "string", "examples": ["ocr/2026/03/15/3f2b7c1d9e8a4f5b8c6d7e8f9a0b1c2d/"]},
    },
}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _problems(status) for status in sorted({e.status for e in error_kinds()})
}
# Only jobs have these.
_OF_JOBS = {403, 404, 409, 429}
_DOCUMENT_PROBLEMS = {status: each for status, each in PROBLEM_RESPONSES.items() if status not in _OF_JOBS}

QUALITY_HEADERS = {
    CONFIDENCE: {
        "description": "`confidence` of the document, for Markdown and plain text; missing if it is null.",
        "schema": {"type": "number", "examples": [0.957]},
    },
    WARNINGS: {
        "description": "Codes of the `warnings` of the document, for Markdown and plain text; missing if "
        "there are none. JSON has their sentences and pages.",
        "schema": {"type": "string", "examples": ["fonts_substituted, low_confidence"]},
    },
    ERRORS: {
        "description": "Codes of the errors of pages without text, or without a part of it, for Markdown and "
        "plain text; missing if there are none. JSON has their sentences and pages.",
        "schema": {"type": "string", "examples": ["broken_document"]},
    },
}

FILES: dict[str, Any] = {
    "text/markdown": {"schema": {"type": "string", "examples": ["# Договор № 17"]}},
    "text/plain": {"schema": {"type": "string", "examples": ["Договор № 17"]}},
    "text/html": {"schema": {"type": "string", "examples": ["<!DOCTYPE html>"]}},
    DOCX: {"schema": {"type": "string", "format": "binary"}},
    PDF: {"schema": {"type": "string", "format": "binary"}},
}

STREAM: dict[str, Any] = {
    "application/x-ndjson": {"schema": {"$ref": _REFERENCE.format(model=_STREAM_EVENT)}}
}

OCR_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result, in the format that `format` or the `Accept` header chooses.",
        "headers": {
            "ETag": {
                "description": "Tag of the answer, for `If-None-Match`; not for a stream or a failed result.",
                "schema": {"type": "string", "examples": ['W/"3f2b7c1d-json"']},
            },
            **_STORAGE_HEADERS,
            **QUALITY_HEADERS,
        },
        "content": {**FILES, **STREAM},
    },
    202: {
        "description": "With `Prefer: respond-async`: a job, as `POST /jobs` answers it.",
        "model": JobStatusAnswer,
    },
    304: {"description": "`If-None-Match` has the tag of the answer: the client already has it."},
    429: PROBLEM_RESPONSES[429],
    **_DOCUMENT_PROBLEMS,
}


def responses_with(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route that has its own model for errors."""
    return {
        200: {"description": "The result.", "headers": _STORAGE_HEADERS},
        **{status: {"description": _codes(int(status)), "model": model} for status in _DOCUMENT_PROBLEMS},
    }


# OpenAPI has one scheme for `Authorization: Bearer` and `Authorization: token`.
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of the service."},
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": API_KEY_HEADER,
        "description": "The same key, if a proxy in front of the service uses `Authorization` itself.",
    },
}


def complete(app: FastAPI, open_paths: OpenPaths | None) -> None:
    """Add to the OpenAPI document of the app: the models that no route names, and the API keys.

    open_paths: paths that need no key. None: the service has no keys, and the document does not mention them.
    """
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made_by_fastapi()
            document["paths"]["/ocr"]["put"] = _put(document["paths"]["/ocr"]["post"])
            _add_models(document.setdefault("components", {}).setdefault("schemas", {}))
            if open_paths is not None:
                _add_security(document, open_paths)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _put(post: dict[str, Any]) -> dict[str, Any]:
    """Describe `PUT /ocr`, which the middleware passes to the route as a POST."""
    return {
        **post,
        "summary": "Read a document that is the body",
        "description": "The answer is that of POST. The fields are in the query, all those of POST.",
        "operationId": "put_document",
        "parameters": QUERY_PARAMETERS,
        "requestBody": {"required": True, "content": {BYTES: {"schema": WHOLE_BODY}}},
    }


def _add_security(document: dict[str, Any], open_paths: OpenPaths) -> None:
    document["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        if path in open_paths:
            continue
        for operation in operations.values():
            operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
            operation["responses"].setdefault("401", _problems(Unauthorized.status))


def _add_models(schemas: dict[str, Any]) -> None:
    schemas.update(DOCUMENT_SCHEMAS)
    schemas[_STREAM_EVENT] = {
        "description": "A line of a stream.",
        "oneOf": [_ref(event) for event in _STREAM_EVENTS],
        "discriminator": {
            "propertyName": "event",
            "mapping": {_event(model): _ref(model)["$ref"] for model in _STREAM_EVENTS},
        },
    }
    for model in _EXTRA_MODELS:
        schema = model.model_json_schema(mode="serialization", ref_template=_REFERENCE)
        for name, part in schema.pop("$defs", {}).items():
            schemas.setdefault(name, part)
        schemas[model.__name__] = schema
