"""Errors of a document, of a page and of a block."""

from ocr_service.core.errors.base import OcrError


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


class NotArchivable(DocumentError):
    code = "not_archivable"
    title = "The document cannot become a PDF/A file"


class TooLargePdf(DocumentError):
    code = "too_large_pdf"
    title = "The searchable PDF would be too large"


class PageError(DocumentError):
    """An error of one page; the other pages of the document are still read."""


class BrokenDocument(PageError):
    code = "broken_document"
    title = "The file is damaged"


class DecoderKilled(PageError):
    """The system ended the decoder, which is no fault of the document."""

    status = 503
    code = "decoder_killed"
    title = "The page could not be decoded now"


class TooManyPixels(PageError):
    code = "too_many_pixels"
    title = "The image has too many pixels"


class NoTextLayer(PageError):
    code = "no_text_layer"
    title = "The page has no text layer"


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
