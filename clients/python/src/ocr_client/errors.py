"""Errors of the client."""

from __future__ import annotations

from typing import Any


class OcrError(Exception):
    """The service refused or failed a request.

    status: of HTTP; 0 if the failure is that of a job. code: stable code, see docs/errors.md of the service.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})" if code else detail)
        self.status = status
        self.code = code
        self.detail = detail

    @classmethod
    def of(cls, status: int, problem: Any) -> OcrError:
        """Make the error of a problem document, or of another body."""
        if not isinstance(problem, dict):
            return cls(status, "", f"The service answered {status}.")
        return cls(
            status, str(problem.get("code", "")), str(problem.get("detail") or problem.get("title", ""))
        )


class ServiceUnreachable(OcrError):
    """There is no answer, although the client tried again for its `patience`."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, "", detail)
