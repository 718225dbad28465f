"""Errors of the service: its load, its deadline, its engine and its storage."""

from ocr_service.core.errors.base import OcrError


class NotAdmitted(OcrError):
    """The service does not admit the request now."""

    status = 503
    retry_after = 5


class Overloaded(NotAdmitted):
    code = "overloaded"
    title = "The service is overloaded"


class Draining(NotAdmitted):
    code = "draining"
    title = "The service is stopping"

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, "Connection": "close"}


class RequestTimedOut(OcrError):
    status = 504
    code = "request_timed_out"
    title = "The request took too long"


class InsufficientStorage(OcrError):
    status = 507
    code = "insufficient_storage"
    title = "The disk for uploads is full"
    retry_after = 10


class EngineError(OcrError):
    """The engine fails for every page."""

    status = 503


class EngineUnavailable(EngineError):
    """The engine is not available."""

    code = "engine_unavailable"
    title = "The OCR engine is not available"
    retry_after = 10


class VlmUnavailable(EngineUnavailable):
    code = "vlm_unavailable"
    title = "The vLLM server is not available"


class StorageError(OcrError):
    """A file could not be stored or fetched. The request for the text of a document still succeeds."""

    title = "The storage failed"


class StorageOutage(StorageError):
    """The storage is unreachable or busy; a retry may help."""


class StorageRefusal(StorageError):
    """The storage refuses, for example because of credentials, a missing bucket or a full disk."""


class StorageFull(StorageRefusal):
    """The storage has no place left."""
