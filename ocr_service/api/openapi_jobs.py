"""The parts of the OpenAPI document about jobs."""

from typing import Any

from ocr_service.api.openapi import FILES, JOB_STATE, PROBLEM_RESPONSES, QUALITY_HEADERS, STREAM

JOB_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job is accepted.",
        "headers": {
            "Location": {
                "description": "Path of the job.",
                "schema": {"type": "string", "examples": ["/jobs/3f2b7c1d9e8a4f5b8c6d7e8f9a0b1c2d"]},
            }
        },
    },
    **PROBLEM_RESPONSES,
}

JOB_RESULT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result, in the format that `format` or the `Accept` header chooses.",
        "headers": {
            JOB_STATE: {
                "description": "State of the job.",
                "schema": {"type": "string", "examples": ["done"]},
            },
            **QUALITY_HEADERS,
        },
        "content": {**FILES, **STREAM},
    },
    **PROBLEM_RESPONSES,
}

JOB_PAGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The page, in the format that `format` chooses.",
        "headers": QUALITY_HEADERS,
        "content": {name: FILES[name] for name in ("text/markdown", "text/plain", "text/html")},
    },
    **PROBLEM_RESPONSES,
}
