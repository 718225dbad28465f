"""The OpenAPI document: tags, names of operations, and the parts of `/ocr` that FastAPI cannot derive."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from ocr_service.api.answers.problems import MEDIA_TYPE as PROBLEM
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.rendered import DOCX
from ocr_service.api.answers.stream_events import EndEvent, ErrorEvent, PageEvent, StartEvent
from ocr_service.api.middleware.api_keys import API_KEY_HEADER
from ocr_service.api.paths import OpenPaths
from ocr_service.api.requests.body import DOCUMENT
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.requests.pdf_fields import PdfFields
from ocr_service.api.requests.recognition_fields import RecognitionFields
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

DOCUMENTS, JOBS, PADDLEX = "Documents", "Jobs", "PaddleX API"
LITEPARSE, SERVICE = "LiteParse API", "Service"
TAGS = [
    {"name": DOCUMENTS, "description": "Read a document."},
    {"name": JOBS, "description": "Have a document read in the background, and fetch the result later."},
    {"name": PADDLEX, "description": "The API of `paddlex --serve` for PaddleOCR-VL, for its clients."},
    {"name": LITEPARSE, "description": "The API of the OCR servers of LiteParse, for its program `lit`."},
    {"name": SERVICE, "description": "Health and version; no API key is needed."},
]

_REFERENCE = "#/components/schemas/{model}"
_STREAM_EVENTS = (StartEvent, PageEvent, EndEvent, ErrorEvent)
_PDF_FIELDS = {name for field in PdfFields.model_fields for name in (field, to_camel(field))}
_ENGINE_OPTIONS = {name for field in RecognitionFields.model_fields for name in (field, to_camel(field))}
_EXTRA_MODELS: tuple[type[BaseModel], ...] = (*_STREAM_EVENTS, Problem)


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, so that generated clients have short method names."""
    return route.name


def _common_first(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Put the fields of a request before those of PDFs and the options of the engine."""
    return dict(sorted(properties.items(), key=_kind))


def _kind(field: tuple[str, Any]) -> tuple[bool, bool]:
    return field[0] in _ENGINE_OPTIONS, field[0] in _PDF_FIELDS


def _form_field(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from a schema: a form cannot send it, but Swagger UI would offer it."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    return {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}


_PROPERTIES = _common_first(OcrFields.model_json_schema()["properties"])
_FIELDS = {name: _form_field(schema) for name, schema in _PROPERTIES.items()}


def _json_field(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the values that JSON has beside the text of a form: null, objects and lists."""
    rest = {key: value for key, value in schema.items() if key in ("title", "description", "examples")}
    kinds = schema.get("anyOf") or [{key: value for key, value in schema.items() if key not in rest}]
    parsed = [kind["contentSchema"] for kind in kinds if "contentSchema" in kind]
    as_numbers = [{"enum": [0, 1]}] if any(kind.get("type") == "boolean" for kind in kinds) else []
    as_text = [{"type": "string"}] if all(kind["type"] != "string" for kind in kinds) else []
    return {**rest, "anyOf": [*kinds, *parsed, *as_numbers, *as_text, {"type": "null"}]}


def _without_content(schema: Any) -> Any:
    """Remove the schema of JSON inside a text: Swagger UI would make an object of it and send nothing."""
    if isinstance(schema, dict):
        return {
            key: _without_content(value) for key, value in schema.items() if not key.startswith("content")
        }
    return [_without_content(part) for part in schema] if isinstance(schema, list) else schema


# Swagger UI invents a value for a field without an example. An empty field is ignored.
_EMPTY = {"examples": [""]}
_FORM_FIELDS = {name: _EMPTY | _without_content(schema) for name, schema in _FIELDS.items()}
_JSON_FIELDS = {name: _json_field(schema) for name, schema in _FIELDS.items()}
_JSON_FIELDS["pages"]["anyOf"].append({"type": "integer", "minimum": 1})
# A form has them as text, with commas.
_JSON_FIELDS["markdown_ignore_labels"]["anyOf"].append({"type": "array", "items": {"type": "string"}})

_FILE = {
    "type": "string",
    "format": "binary",
    "description": "The document: PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, AVIF or JPEG 2000.",
    "examples": ["@scan.jpg"],
}

_BYTES = "application/octet-stream"
_WHOLE_BODY = {"type": "string", "format": "binary", "description": "The document itself, by POST or PUT."}

_URL = {
    "type": "string",
    "format": "uri",
    "description": "URL of the document, instead of a file.",
}
_ENCODED = {
    "type": "string",
    "format": DOCUMENT,
    "description": "The document in base64, or its URL, instead of `image_url`.",
}
_FILE_OR_URL = [{"required": ["file"]}, {"required": ["image_url"]}]
_URL_EXAMPLE = {"image_url": "https://example.com/scan.jpg"}

# A job has no deadline, and its fields are stored.
_NOT_OF_JOBS = {"timeout", "password"}


def _document_request(form_fields: dict[str, Any], json_fields: dict[str, Any]) -> dict[str, Any]:
    """Describe a request that sends a document, or its address, and fields."""
    content = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "oneOf": _FILE_OR_URL,
                "properties": {"file": _FILE, "image_url": _EMPTY | _URL, **form_fields},
            }
        },
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["image_url"],
                "properties": {"image_url": _URL, **form_fields},
            },
            "example": _URL_EXAMPLE,
        },
        "application/json": {
            "schema": {
                "type": "object",
                "oneOf": _FILE_OR_URL,
                "properties": {"file": _ENCODED, "image_url": _URL, **json_fields},
            },
            "example": _URL_EXAMPLE,
        },
        # The fields are in the query. Any other media type that is not one of these works too.
        _BYTES: {"schema": _WHOLE_BODY},
    }
    return {"requestBody": {"required": True, "content": content}}


def _of_jobs(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in fields.items() if name not in _NOT_OF_JOBS}


OCR_REQUEST = _document_request(_FORM_FIELDS, _JSON_FIELDS)
JOB_REQUEST = _document_request(_of_jobs(_FORM_FIELDS), _of_jobs(_JSON_FIELDS))


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


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
_OF_JOBS = {404, 409, 429}
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
        "content": {
            **FILES,
            "application/x-ndjson": {"schema": {"oneOf": [_ref(event) for event in _STREAM_EVENTS]}},
        },
    },
    202: {"description": "With `Prefer: respond-async`: a job, as `POST /jobs` answers it."},
    304: {"description": "`If-None-Match` has the tag of the answer: the client already has it."},
    429: PROBLEM_RESPONSES[429],
    **_DOCUMENT_PROBLEMS,
}


def json_request(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Describe a request of one JSON object, without references."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    schema["properties"] = _common_first(schema["properties"])

    def inlined(node: Any) -> Any:
        if isinstance(node, dict):
            part = parts.get(str(node.get("$ref")).rpartition("/")[2])
            return inlined(part) if part else {name: inlined(value) for name, value in node.items()}
        return [inlined(item) for item in node] if isinstance(node, list) else node

    content = {"application/json": {"schema": inlined(schema), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


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
        "description": "The answer is that of POST. The fields are in the query.",
        "operationId": "put_document",
        "requestBody": {"required": True, "content": {_BYTES: {"schema": _WHOLE_BODY}}},
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
    for model in _EXTRA_MODELS:
        schema = model.model_json_schema(mode="serialization", ref_template=_REFERENCE)
        for name, part in schema.pop("$defs", {}).items():
            schemas.setdefault(name, part)
        schemas[model.__name__] = schema
