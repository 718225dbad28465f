"""Errors of a request: the caller can change it."""

from typing import Self

from ocr_service.core.errors.base import OcrError


class RequestError(OcrError):
    """The request is invalid."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


class Unauthorized(RequestError):
    status = 401
    code = "unauthorized"
    title = "The API key is missing or unknown"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="OCR service"'}


class MalformedBody(RequestError):
    status = 400
    code = "malformed_body"
    title = "The body does not match its content type"


class MediaTypeNotSupported(RequestError):
    status = 415
    code = "media_type_not_supported"
    title = "The content type of the request is not supported"


class NoFile(RequestError):
    code = "no_file"
    title = "The request has neither a file nor an address"


class EmptyFile(RequestError):
    code = "empty_file"
    title = "The file is empty"


class UploadTooSlow(RequestError):
    status = 408
    code = "upload_too_slow"
    title = "The upload is too slow"


class TooManyBytes(RequestError):
    status = 413
    code = "too_many_bytes"
    title = "The file is too large"

    @classmethod
    def beyond(cls, max_bytes: int) -> Self:
        return cls(f"The limit is {max_bytes // 2**20} MiB.")


class PagesOutOfRange(RequestError):
    code = "pages_out_of_range"
    title = "The document does not have these pages"


class LanguageNotInstalled(RequestError):
    code = "language_not_installed"
    title = "The language is not installed"


class OptionNotSupported(RequestError):
    code = "option_not_supported"
    title = "The engine does not support this option"


class ModelNotLoaded(RequestError):
    code = "model_not_loaded"
    title = "The model for this option is not loaded"


class InvalidUrl(RequestError):
    code = "invalid_url"
    title = "The address of the document is not a valid URL"


class UrlNotAllowed(RequestError):
    code = "url_not_allowed"
    title = "Fetching from this address is not allowed"


class FetchFailed(RequestError):
    status = 424
    code = "fetch_failed"
    title = "The document could not be fetched"
