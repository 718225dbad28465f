"""The parts of the OpenAPI document about PaddleOCR's jobs API."""

from typing import Any

from ocr_service.api.answers.paddle_jobs import PaddleJobError
from ocr_service.api.openapi_requests import FILE, inlined
from ocr_service.api.requests.paddle_jobs import PaddleJobFields

# The format of a string that is a JSON object.
JSON_TEXT = "json-text"

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The API key is missing or unknown.", "model": PaddleJobError},
    "default": {
        "description": "An error; `code` is its HTTP status, which is 400 for what is 422 elsewhere.",
        "model": PaddleJobError,
    },
}

RESULT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The pages in order, one JSON object a line, in ASCII.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    },
    "default": ERRORS["default"],
}

PICTURE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JPEG file.", "content": {"image/jpeg": {}}},
    "default": ERRORS["default"],
}


def _submit_request() -> dict[str, Any]:
    fields = inlined(PaddleJobFields)["properties"]
    # The fields of a job are stored.
    del fields["optionalPayload"]["properties"]["password"]
    options = {"type": "string", "format": JSON_TEXT, "description": "The options, as JSON text."}
    in_form = {**fields, "optionalPayload": options}
    in_json = {
        "fileUrl": {"type": "string", "format": "uri", "description": "URL of the document."},
        **fields,
    }
    content = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file", "model"],
                "properties": {"file": FILE, **in_form},
            }
        },
        "application/json": {
            "schema": {"type": "object", "required": ["fileUrl", "model"], "properties": in_json},
            "example": {"fileUrl": "https://example.com/scan.jpg", "model": "PaddleOCR-VL-1.6"},
        },
    }
    return {"requestBody": {"required": True, "content": content}}


SUBMIT_REQUEST = _submit_request()
