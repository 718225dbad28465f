"""The parts of the OpenAPI document about requests, which FastAPI cannot derive."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from ocr_service.api.requests.body import DOCUMENT
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.requests.pdf_fields import PdfFields
from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.engines import PADDLEOCR_VL, TESSERACT

_PDF_FIELDS = {name for field in PdfFields.model_fields for name in (field, to_camel(field))}
_ENGINE_OPTIONS = {name for field in RecognitionFields.model_fields for name in (field, to_camel(field))}
# An engine refuses the options of the other one; `/ui` offers those of the running engine.
_FOR_ALL_ENGINES = {"markdown_ignore_labels"}
_ENGINE_OF = {
    **dict.fromkeys(_ENGINE_OPTIONS - _FOR_ALL_ENGINES, PADDLEOCR_VL),
    **dict.fromkeys(("rotate", "words"), TESSERACT),
}


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
    # Without the default, which null stands for: generators of clients cannot write one for several types.
    kinds = schema.get("anyOf") or [
        {key: value for key, value in schema.items() if key not in rest and key != "default"}
    ]
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


def _engine_of(name: str) -> dict[str, str]:
    return {"x-engine": _ENGINE_OF[name]} if name in _ENGINE_OF else {}


# Swagger UI invents a value for a field without an example. An empty field is ignored.
_EMPTY = {"examples": [""]}
_FORM_FIELDS = {
    name: _EMPTY | _without_content(schema) | _engine_of(name) for name, schema in _FIELDS.items()
}
_JSON_FIELDS = {name: _json_field(schema) for name, schema in _FIELDS.items()}
_JSON_FIELDS["pages"]["anyOf"].append({"type": "integer", "minimum": 1})
# A form has them as text, with commas.
_LABELS = {"type": ["string", "array", "null"], "items": {"type": "string"}}
_JSON_FIELDS["markdown_ignore_labels"] = {
    key: value for key, value in _JSON_FIELDS["markdown_ignore_labels"].items() if key != "anyOf"
} | _LABELS

FILE = {
    "type": "string",
    "format": "binary",
    "description": "The document: PDF, PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, AVIF or JPEG 2000.",
    "examples": ["@scan.jpg"],
}

BYTES = "application/octet-stream"
WHOLE_BODY = {"type": "string", "format": "binary", "description": "The document itself, by POST or PUT."}

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


def _document_schemas(
    name: str, form_fields: dict[str, Any], json_fields: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Describe the ways to send a document, or its address, and fields."""
    return {
        f"{name}Form": {
            "type": "object",
            "oneOf": _FILE_OR_URL,
            "properties": {"file": FILE, "image_url": _EMPTY | _URL, **form_fields},
        },
        f"{name}AddressForm": {
            "type": "object",
            "required": ["image_url"],
            "properties": {"image_url": _URL, **form_fields},
        },
        f"{name}Request": {
            "type": "object",
            "oneOf": _FILE_OR_URL,
            "properties": {"file": _ENCODED, "image_url": _URL, **json_fields},
        },
    }


def _document_request(name: str) -> dict[str, Any]:
    """Describe a request by the schemas with this name."""

    def ref(kind: str) -> dict[str, str]:
        return {"$ref": f"#/components/schemas/{name}{kind}"}

    content = {
        "multipart/form-data": {"schema": ref("Form")},
        "application/x-www-form-urlencoded": {"schema": ref("AddressForm"), "example": _URL_EXAMPLE},
        "application/json": {"schema": ref("Request"), "example": _URL_EXAMPLE},
        # The fields are in the query. Any other media type that is not one of these works too.
        BYTES: {"schema": WHOLE_BODY},
    }
    return {"requestBody": {"required": True, "content": content}}


def _of_jobs(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in fields.items() if name not in _NOT_OF_JOBS}


DOCUMENT_SCHEMAS = {
    **_document_schemas("Ocr", _FORM_FIELDS, _JSON_FIELDS),
    **_document_schemas("Job", _of_jobs(_FORM_FIELDS), _of_jobs(_JSON_FIELDS)),
}
OCR_REQUEST = _document_request("Ocr")
JOB_REQUEST = _document_request("Job")

# A password does not belong into a query, and the options of the engine would be another thirty.
QUERY_PARAMETERS = [
    {"name": name, "in": "query", "description": field["description"], "schema": field}
    for name, field in _FORM_FIELDS.items()
    if name not in _ENGINE_OPTIONS | {"password"}
]


def json_request(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Describe a request of one JSON object, without references."""
    schema = inlined(model)
    schema["properties"] = _common_first(schema["properties"])
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model without references."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def replaced(node: Any) -> Any:
        if isinstance(node, dict):
            part = parts.get(str(node.get("$ref")).rpartition("/")[2])
            return replaced(part) if part else {name: replaced(value) for name, value in node.items()}
        return [replaced(item) for item in node] if isinstance(node, list) else node

    whole: dict[str, Any] = replaced(schema)
    return whole
