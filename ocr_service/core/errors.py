"""All errors that the service answers with.

OcrError                        500 internal_error
├── RequestError                422 invalid_request
│   ├── Unauthorized            401 unauthorized, with WWW-Authenticate
│   ├── MalformedBody           400 malformed_body
│   ├── MediaTypeNotSupported   415 media_type_not_supported
│   ├── NoFile                  422 no_file
│   ├── EmptyFile               422 empty_file
│   ├── UploadTooSlow           408 upload_too_slow
│   ├── TooManyBytes            413 too_many_bytes
│   ├── PagesOutOfRange         422 pages_out_of_range
│   ├── LanguageNotInstalled    422 language_not_installed
│   ├── OptionNotSupported      422 option_not_supported
│   ├── ModelNotLoaded          422 model_not_loaded
│   ├── InvalidUrl              422 invalid_url
│   ├── UrlNotAllowed           422 url_not_allowed
│   └── FetchFailed             424 fetch_failed
├── DocumentError               422
│   ├── NotADocument            422 not_a_document
│   ├── TypeNotSupported        415 type_not_supported
│   ├── TooManyPages            422 too_many_pages
│   ├── EncryptedPdf            422 encrypted_pdf
│   └── PageError               fails one page of a document
│       ├── BrokenDocument      422 broken_document
│       ├── TooManyPixels       422 too_many_pixels
│       ├── RecognitionFailed   500 recognition_failed
│       ├── PartlyRecognized    500 partly_recognized, with the blocks that were read
│       ├── IncompleteText      of one block, which keeps a part of its text
│       │   ├── Truncated       500 truncated
│       │   └── Repetition      500 repetition
│       └── VlmTimeout          504 vlm_timeout
├── NotAdmitted                 503, with Retry-After
│   ├── Overloaded              503 overloaded
│   └── Draining                503 draining, and the connection is closed
├── RequestTimedOut             504 request_timed_out
├── EngineError
│   └── EngineUnavailable       503 engine_unavailable, with Retry-After
│       └── VlmUnavailable      503 vlm_unavailable
└── StorageError                in the field `storage` of the answer, never the answer itself
    ├── StorageOutage           temporary
    └── StorageRefusal          permanent until an operator acts

The detail of an error is for the caller: no internal path, no traceback, no text of the document.
"""

from collections.abc import Iterator
from typing import ClassVar, Self, TypeVar


class OcrError(Exception):
    """Base of the tree. Each class has its HTTP status, its stable code and its title.

    retry_after: seconds after which a retry makes sense; None if unknown.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retry_after: int | None = None

    def __init__(self, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail or self.title)
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def detail(self) -> str:
        """One or two sentences for the caller."""
        return str(self)

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


Error = TypeVar("Error", bound=Exception)


def bare(error: Error) -> Error:
    """Return the error without cause and traceback, whose frames would hold the page in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


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


class DocumentError(OcrError):
    """The document cannot be read."""

    status = 422


class NotADocument(DocumentError):
    code = "not_a_document"
    title = "The file is neither an image nor a PDF"


class TypeNotSupported(DocumentError):
    status = 415
    code = "type_not_supported"
    title = "This file type is not supported"


class TooManyPages(DocumentError):
    code = "too_many_pages"
    title = "The document has too many pages"


class EncryptedPdf(DocumentError):
    code = "encrypted_pdf"
    title = "The PDF is encrypted"


class PageError(DocumentError):
    """An error of one page; the other pages of the document are still read."""


class BrokenDocument(PageError):
    code = "broken_document"
    title = "The file is damaged"


class TooManyPixels(PageError):
    code = "too_many_pixels"
    title = "The image has too many pixels"


class RecognitionFailed(PageError):
    status = 500
    code = "recognition_failed"
    title = "The engine could not read the page"


class PartlyRecognized(PageError):
    status = 500
    code = "partly_recognized"
    title = "Some blocks of the page could not be read"


class IncompleteText(PageError):
    """The text of a block is incomplete: the block has the part before the fault."""

    status = 500


class Truncated(IncompleteText):
    code = "truncated"
    title = "The text of the block is cut off"


class Repetition(IncompleteText):
    code = "repetition"
    title = "The VLM repeated itself"


class VlmTimeout(PageError):
    status = 504
    code = "vlm_timeout"
    title = "The vLLM server did not answer in time"


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


def error_kinds(base: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """Yield the classes of the tree that have their own code; the others only group them."""
    if "code" in vars(base):
        yield base
    for child in base.__subclasses__():
        yield from error_kinds(child)
