"""Every error that the service answers with.

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
│   └── PageError               in a document of several pages, the page's alone
│       ├── BrokenDocument      422 broken_document
│       ├── TooManyPixels       422 too_many_pixels
│       ├── RecognitionFailed   500 recognition_failed
│       ├── PartlyRecognized    500 partly_recognized, beside the blocks that were read
│       └── VlmTimeout          504 vlm_timeout
├── NotAdmitted                 503, with Retry-After
│   ├── Overloaded              503 overloaded
│   └── Draining                503 draining, and the connection is closed
├── RequestTimedOut             504 request_timed_out
├── EngineError
│   └── EngineUnavailable       503 engine_unavailable, with Retry-After
│       └── VlmUnavailable      503 vlm_unavailable
└── StorageError                in the answer's `storage`, never the answer itself
    ├── StorageOutage           it may be well again in a moment
    └── StorageRefusal          it will stay so until somebody mends it

An error's sentence is for the caller: no internal path, no traceback, nothing of the document's text.
"""

from collections.abc import Iterator
from typing import ClassVar, Self, TypeVar


class OcrError(Exception):
    """Base of the tree: each class carries its HTTP status, its stable code and its title.

    retry_after: seconds after which a new attempt makes sense; None where nothing is known of that.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong inside the service"
    retry_after: int | None = None

    def __init__(self, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail or self.title)
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def detail(self) -> str:
        """The sentence for the caller."""
        return str(self)

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


Error = TypeVar("Error", bound=Exception)


def bare(error: Error) -> Error:
    """Return the error without where it came from: tracebacks hold the pages that were being read."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class RequestError(OcrError):
    """The request cannot be understood or honoured as it stands."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


class Unauthorized(RequestError):
    status = 401
    code = "unauthorized"
    title = "The request shows no API key that is known here"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="OCR service"'}


class MalformedBody(RequestError):
    status = 400
    code = "malformed_body"
    title = "The body is not what its content type says"


class MediaTypeNotSupported(RequestError):
    status = 415
    code = "media_type_not_supported"
    title = "The request's content type is not supported"


class NoFile(RequestError):
    code = "no_file"
    title = "The request has no file and no address of one"


class EmptyFile(RequestError):
    code = "empty_file"
    title = "The file is empty"


class UploadTooSlow(RequestError):
    status = 408
    code = "upload_too_slow"
    title = "The request's body does not come fast enough"


class TooManyBytes(RequestError):
    status = 413
    code = "too_many_bytes"
    title = "The file is too large"

    @classmethod
    def beyond(cls, max_bytes: int) -> Self:
        return cls(f"Files of up to {max_bytes // 2**20} MiB are accepted.")


class PagesOutOfRange(RequestError):
    code = "pages_out_of_range"
    title = "The document does not have these pages"


class LanguageNotInstalled(RequestError):
    code = "language_not_installed"
    title = "The language is not installed"


class OptionNotSupported(RequestError):
    code = "option_not_supported"
    title = "The engine does not have this option"


class ModelNotLoaded(RequestError):
    code = "model_not_loaded"
    title = "The option's model is not loaded"


class InvalidUrl(RequestError):
    code = "invalid_url"
    title = "The document's address is not a URL"


class UrlNotAllowed(RequestError):
    code = "url_not_allowed"
    title = "Nothing is fetched from this address"


class FetchFailed(RequestError):
    status = 424
    code = "fetch_failed"
    title = "The document could not be fetched from its address"


class DocumentError(OcrError):
    """The document itself cannot be read."""

    status = 422


class NotADocument(DocumentError):
    code = "not_a_document"
    title = "The file is not an image and not a PDF"


class TypeNotSupported(DocumentError):
    status = 415
    code = "type_not_supported"
    title = "This type of file is not supported"


class TooManyPages(DocumentError):
    code = "too_many_pages"
    title = "The document has too many pages"


class EncryptedPdf(DocumentError):
    code = "encrypted_pdf"
    title = "The PDF is encrypted"


class PageError(DocumentError):
    """What one page can suffer alone: the other pages of its document are still read."""


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


class VlmTimeout(PageError):
    status = 504
    code = "vlm_timeout"
    title = "The vLLM server did not answer in time"


class NotAdmitted(OcrError):
    """The service takes no further work just now."""

    status = 503
    retry_after = 5


class Overloaded(NotAdmitted):
    code = "overloaded"
    title = "The service has as much to do as it can take"


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
    """The engine fails whatever the page is."""

    status = 503


class EngineUnavailable(EngineError):
    """The engine is not there."""

    code = "engine_unavailable"
    title = "The OCR engine is not available"
    retry_after = 10


class VlmUnavailable(EngineUnavailable):
    code = "vlm_unavailable"
    title = "The vLLM server is not available"


class StorageError(OcrError):
    """A file could not be stored or fetched; whoever asked for a document's text gets it all the same."""

    title = "The storage failed"


class StorageOutage(StorageError):
    """The storage is away, or busy: trying again later may help."""


class StorageRefusal(StorageError):
    """The storage says no, by wrong credentials, no bucket, a full disk: somebody must mend it first."""


def error_kinds(base: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """Walk the tree of errors; those without a code of their own only group others."""
    if "code" in vars(base):
        yield base
    for child in base.__subclasses__():
        yield from error_kinds(child)
