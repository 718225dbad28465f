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
│   ├── NotArchivable           422 not_archivable
│   ├── TooLargePdf             422 too_large_pdf
│   └── PageError               fails one page of a document
│       ├── BrokenDocument      422 broken_document
│       ├── DecoderKilled       503 decoder_killed
│       ├── TooManyPixels       422 too_many_pixels
│       ├── NoTextLayer         422 no_text_layer
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
├── InsufficientStorage         507 insufficient_storage, with Retry-After
├── EngineError
│   └── EngineUnavailable       503 engine_unavailable, with Retry-After
│       └── VlmUnavailable      503 vlm_unavailable
├── JobError
│   ├── JobNotFound             404 job_not_found
│   ├── PageNotInJob            404 page_not_in_job
│   ├── JobNotDone              409 job_not_done
│   ├── JobCancelled            409 job_cancelled
│   ├── IdempotencyKeyReused    422 idempotency_key_reused
│   ├── TooManyJobs             429 too_many_jobs, with Retry-After
│   ├── PagesTooLarge           422 pages_too_large
│   ├── JobLost                 500 job_lost
│   ├── InvalidLink             403 invalid_link
│   ├── JobsNotConfigured       503 jobs_not_configured
│   └── JobsUnavailable         503 jobs_unavailable, with Retry-After
│       └── JobsFull            507 jobs_full
└── StorageError                in the field `storage` of the answer, never the answer itself
    ├── StorageOutage           temporary
    └── StorageRefusal          permanent until an operator acts
        └── StorageFull         no place left

The detail of an error is for the caller: no internal path, no traceback, no text of the document.
"""

from ocr_service.core.errors.base import (
    OcrError,
    bare,
    error_kinds,
)
from ocr_service.core.errors.documents import (
    BrokenDocument,
    DecoderKilled,
    DocumentError,
    EncryptedPdf,
    IncompleteText,
    NotADocument,
    NotArchivable,
    NoTextLayer,
    PageError,
    PartlyRecognized,
    RecognitionFailed,
    Repetition,
    TooLargePdf,
    TooManyPages,
    TooManyPixels,
    Truncated,
    TypeNotSupported,
    VlmTimeout,
)
from ocr_service.core.errors.jobs import (
    IdempotencyKeyReused,
    InvalidLink,
    JobCancelled,
    JobError,
    JobLost,
    JobNotDone,
    JobNotFound,
    JobsFull,
    JobsNotConfigured,
    JobsUnavailable,
    PageNotInJob,
    PagesTooLarge,
    TooManyJobs,
)
from ocr_service.core.errors.requests import (
    EmptyFile,
    FetchFailed,
    InvalidUrl,
    LanguageNotInstalled,
    MalformedBody,
    MediaTypeNotSupported,
    ModelNotLoaded,
    NoFile,
    OptionNotSupported,
    PagesOutOfRange,
    RequestError,
    TooManyBytes,
    Unauthorized,
    UploadTooSlow,
    UrlNotAllowed,
)
from ocr_service.core.errors.service import (
    Draining,
    EngineError,
    EngineUnavailable,
    InsufficientStorage,
    NotAdmitted,
    Overloaded,
    RequestTimedOut,
    StorageError,
    StorageFull,
    StorageOutage,
    StorageRefusal,
    VlmUnavailable,
)

__all__ = [
    "BrokenDocument",
    "DecoderKilled",
    "DocumentError",
    "Draining",
    "EmptyFile",
    "EncryptedPdf",
    "EngineError",
    "EngineUnavailable",
    "FetchFailed",
    "IdempotencyKeyReused",
    "IncompleteText",
    "InsufficientStorage",
    "InvalidLink",
    "InvalidUrl",
    "JobCancelled",
    "JobError",
    "JobLost",
    "JobNotDone",
    "JobNotFound",
    "JobsFull",
    "JobsNotConfigured",
    "JobsUnavailable",
    "LanguageNotInstalled",
    "MalformedBody",
    "MediaTypeNotSupported",
    "ModelNotLoaded",
    "NoFile",
    "NoTextLayer",
    "NotADocument",
    "NotAdmitted",
    "NotArchivable",
    "OcrError",
    "OptionNotSupported",
    "Overloaded",
    "PageError",
    "PageNotInJob",
    "PagesOutOfRange",
    "PagesTooLarge",
    "PartlyRecognized",
    "RecognitionFailed",
    "Repetition",
    "RequestError",
    "RequestTimedOut",
    "StorageError",
    "StorageFull",
    "StorageOutage",
    "StorageRefusal",
    "TooLargePdf",
    "TooManyBytes",
    "TooManyJobs",
    "TooManyPages",
    "TooManyPixels",
    "Truncated",
    "TypeNotSupported",
    "Unauthorized",
    "UploadTooSlow",
    "UrlNotAllowed",
    "VlmTimeout",
    "VlmUnavailable",
    "bare",
    "error_kinds",
]
