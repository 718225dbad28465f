"""What FastAPI cannot see of `/ocr`, as it reads its body itself: the request and the other answers."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from ocr_service.api.answers.problems import MEDIA_TYPE as PROBLEM
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.stream_events import EndEvent, ErrorEvent, PageEvent, StartEvent
from ocr_service.api.middleware.api_keys import API_KEY_HEADER
from ocr_service.api.paths import OpenPaths
from ocr_service.api.requests.body import DOCUMENT
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.core.errors import Unauthorized, error_kinds

# Where an answer has no `storage`.
STORAGE_STATUS = "X-Storage-Status"
STORAGE_FOLDER = "X-Storage-Folder"

_REFERENCE = "#/components/schemas/{model}"
_STREAM_EVENTS = (StartEvent, PageEvent, EndEvent, ErrorEvent)
_BEYOND_THE_ROUTES: tuple[type[BaseModel], ...] = (*_STREAM_EVENTS, Problem)


def _form_field(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out that a field may be null: a form cannot say so, and the documentation page would."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    return {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}


_FIELDS = {name: _form_field(schema) for name, schema in OcrFields.model_json_schema()["properties"].items()}


def _in_json(schema: dict[str, Any]) -> dict[str, Any]:
    """Add what JSON can say beside the text that a form has: null, and the objects and lists themselves."""
    rest = {key: value for key, value in schema.items() if key in ("title", "description", "examples")}
    kinds = schema.get("anyOf") or [{key: value for key, value in schema.items() if key not in rest}]
    themselves = [kind["contentSchema"] for kind in kinds if "contentSchema" in kind]
    as_numbers = [{"enum": [0, 1]}] if any(kind.get("type") == "boolean" for kind in kinds) else []
    as_text = [{"type": "string"}] if all(kind["type"] != "string" for kind in kinds) else []
    return {**rest, "anyOf": [*kinds, *themselves, *as_numbers, *as_text, {"type": "null"}]}


def _plain(schema: Any) -> Any:
    """Leave out what a text must hold: of that the documentation page would make an object, and send none."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if not key.startswith("content")}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


# Of what shows no example, the documentation page would make one up; an empty field says nothing.
_SAYS_NOTHING = {"examples": [""]}
_FORM_FIELDS = {name: _SAYS_NOTHING | _plain(schema) for name, schema in _FIELDS.items()}
_JSON_FIELDS = {name: _in_json(schema) for name, schema in _FIELDS.items()}
_JSON_FIELDS["pages"]["anyOf"].append({"type": "integer", "minimum": 1})
# Joined by commas in a form.
_JSON_FIELDS["markdown_ignore_labels"]["anyOf"].append({"type": "array", "items": {"type": "string"}})

_FILE = {
    "type": "string",
    "format": "binary",
    "description": "The document: PDF, PNG, JPEG, TIFF, WebP, BMP, GIF or HEIC.",
    "examples": ["@scan.jpg"],
}

_URL = {
    "type": "string",
    "format": "uri",
    "description": "The document's address on the web, instead of a file.",
}
_ENCODED = {
    "type": "string",
    "format": DOCUMENT,
    "description": "The document in base64, or its address, instead of `image_url`.",
}
_AS_JSON = {
    "schema": {
        "type": "object",
        "oneOf": [{"required": ["file"]}, {"required": ["image_url"]}],
        "properties": {"file": _ENCODED, "image_url": _URL, **_JSON_FIELDS},
    },
    "example": {"image_url": "https://example.com/scan.jpg"},
}
_BY_ADDRESS = {
    "schema": {
        "type": "object",
        "required": ["image_url"],
        "properties": {"image_url": _URL, **_FORM_FIELDS},
    },
    "example": {"image_url": "https://example.com/scan.jpg"},
}


OCR_REQUEST: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            # It says nothing then, as if the field were not there.
            "allowEmptyValue": True,
            "description": schema["description"] + " A field of the body goes before it.",
            "schema": schema,
        }
        for name, schema in _FORM_FIELDS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "oneOf": [{"required": ["file"]}, {"required": ["image_url"]}],
                    "properties": {"file": _FILE, "image_url": _SAYS_NOTHING | _URL, **_FORM_FIELDS},
                }
            },
            "application/x-www-form-urlencoded": _BY_ADDRESS,
            "application/json": _AS_JSON,
        },
    },
}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _problems(status: int) -> dict[str, Any]:
    return {"description": _codes(status), "content": {PROBLEM: {"schema": _ref(Problem)}}}


def _codes(status: int) -> str:
    kinds = {error.code: error.title for error in error_kinds() if error.status == status}
    return "; ".join(f"`{code}`: {title}" for code, title in kinds.items())


_STORAGE_HEADERS = {
    STORAGE_STATUS: {
        "description": "Where the answer has no `storage`: its `status`.",
        "schema": {"type": "string", "examples": ["stored"]},
    },
    STORAGE_FOLDER: {
        "description": "Where the answer has no `storage`: its `folder`.",
        "schema": {"type": "string", "examples": ["ocr/2026/03/15/3f2b7c1d9e8a4f5b8c6d7e8f9a0b1c2d/"]},
    },
}


OCR_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document's text, in the form that was asked for.",
        "headers": {
            "ETag": {
                "description": "The answer's tag, for `If-None-Match`; a stream has none, nor has an "
                "answer in which something failed.",
                "schema": {"type": "string", "examples": ['W/"3f2b7c1d-json"']},
            },
            **_STORAGE_HEADERS,
        },
        "content": {
            "application/x-ndjson": {"schema": {"oneOf": [_ref(event) for event in _STREAM_EVENTS]}},
            "text/markdown": {"schema": {"type": "string", "examples": ["# Договор № 17"]}},
            "text/plain": {"schema": {"type": "string", "examples": ["Договор № 17"]}},
        },
    },
    304: {"description": "The caller named the answer's tag in `If-None-Match`, and so has it."},
    **{status: _problems(status) for status in sorted({e.status for e in error_kinds()})},
}


def json_request(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Describe a request of one JSON object, all in one place."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, dict):
            part = parts.get(str(node.get("$ref")).rpartition("/")[2])
            return inlined(part) if part else {name: inlined(value) for name, value in node.items()}
        return [inlined(item) for item in node] if isinstance(node, list) else node

    content = {"application/json": {"schema": inlined(schema), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def responses_with(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route that has them in a form of its own."""
    statuses = sorted({error.status for error in error_kinds()})
    return {
        200: {"description": "The result.", "headers": _STORAGE_HEADERS},
        **{status: {"description": _codes(status), "model": model} for status in statuses},
    }


# The first two ways of showing a key are one to OpenAPI.
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of the service's API keys."},
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": API_KEY_HEADER,
        "description": "The same, where something in front of the service wants `Authorization` for itself.",
    },
}


def complete(app: FastAPI, open_paths: OpenPaths | None) -> None:
    """Let the app's OpenAPI document hold what no route names: models, and how a key is shown.

    open_paths: what needs no key; None where nothing does, and the document then speaks of no keys.
    """
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made_by_fastapi()
            _add_models(document.setdefault("components", {}).setdefault("schemas", {}))
            if open_paths is not None:
                _add_security(document, open_paths)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_security(document: dict[str, Any], open_paths: OpenPaths) -> None:
    document["components"]["securitySchemes"] = _SECURITY_SCHEMES
    for path, operations in document["paths"].items():
        if path in open_paths:
            continue
        for operation in operations.values():
            operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
            operation["responses"].setdefault("401", _problems(Unauthorized.status))


def _add_models(schemas: dict[str, Any]) -> None:
    for model in _BEYOND_THE_ROUTES:
        schema = model.model_json_schema(mode="serialization", ref_template=_REFERENCE)
        for name, part in schema.pop("$defs", {}).items():
            schemas.setdefault(name, part)
        schemas[model.__name__] = schema
