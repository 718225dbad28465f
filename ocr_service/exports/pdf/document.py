"""Writes a searchable PDF. Runs in a sandboxed process, because it opens the document of a caller."""

import io
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pikepdf
import pypdfium2 as pdfium

from ocr_service.core.errors import BrokenDocument, EncryptedPdf, NotArchivable, OcrError
from ocr_service.decoding.signatures import PDF
from ocr_service.exports.pdf.annotations import add_note
from ocr_service.exports.pdf.font import glyphless_font
from ocr_service.exports.pdf.hidden_text import remove_hidden_text
from ocr_service.exports.pdf.invisible_text import add_text
from ocr_service.exports.pdf.pictures import pdf_of_pictures
from ocr_service.exports.pdf.requests import Order
from ocr_service.exports.pdf.signatures import remove_signatures

SIGNATURE_ENDED = "The digital signature was removed: it does not cover the text that was added."


def write(order: Order, data: bytes) -> tuple[bytes, bool]:
    """Return the PDF, and whether it had a signature, which is gone; raises DocumentError.

    A PDF that needs no change is returned as it is.
    """
    with _errors_translated():
        if order.format_name != PDF:
            pdf = pdf_of_pictures(data, order.format_name, order.limits, order.pages)
            return _saved(_with_text(pdf, order), order), False
        with pikepdf.open(io.BytesIO(data), password=order.password or "") as source:
            return _of_pdf(source, data, order)


def _of_pdf(source: pikepdf.Pdf, data: bytes, order: Order) -> tuple[bytes, bool]:
    if order.archival and source.is_encrypted:
        raise NotArchivable("PDF/A has no encryption, and the PDF is encrypted.")
    _check_pages(source, data, order.password)
    numbers = [page.index - 1 for page in order.pages]
    is_whole = numbers == list(range(len(source.pages)))
    if is_whole and not order.archival and all(page.is_empty for page in order.pages):
        return data, False
    was_signed = remove_signatures(source)
    pdf = source
    if not is_whole:
        # A new document has nothing of the pages that are left out.
        pdf = pikepdf.new()
        pdf.add_pages_from(source, numbers)
    _with_text(pdf, order)
    if was_signed:
        add_note(pdf, pdf.pages[0], [SIGNATURE_ENDED])
    return _saved(pdf, order, source), was_signed


def _check_pages(source: pikepdf.Pdf, data: bytes, password: str | None) -> None:
    """Raise BrokenDocument if PDFium, which numbered the pages, sees others: text would be on wrong pages."""
    with closing(pdfium.PdfDocument(data, password)) as seen:
        if len(seen) != len(source.pages):
            raise BrokenDocument("The PDF is damaged: programs do not agree about its pages.")


def _with_text(pdf: pikepdf.Pdf, order: Order) -> pikepdf.Pdf:
    """Add the text and the notes to the pages, which are those of the order."""
    font = glyphless_font(pdf)
    for page, text in zip(pdf.pages, order.pages, strict=True):
        if text.pieces:
            remove_hidden_text(pdf, page)
            add_text(page, text, font)
        if text.notes:
            add_note(pdf, page, text.notes)
    return pdf


def _saved(pdf: pikepdf.Pdf, order: Order, source: pikepdf.Pdf | None = None) -> bytes:
    if order.archival:
        # Imported here, because its rules and fonts take half a second to import and few requests need them.
        from ocr_service.exports.pdf.archive import archival

        return archival(pdf)
    file = io.BytesIO()
    if source is not None and source.is_encrypted:
        pdf.save(file, encryption=True if pdf is source else _same_encryption(source, order.password))
    else:
        pdf.save(file, deterministic_id=True)
    return file.getvalue()


def _same_encryption(source: pikepdf.Pdf, password: str | None) -> pikepdf.Encryption:
    """Return an encryption with the password and the permissions of the source."""
    owner = password if password and source.owner_password_matched else secrets.token_urlsafe()
    return pikepdf.Encryption(owner=owner, user=password or "", allow=source.allow)


@contextmanager
def _errors_translated() -> Iterator[None]:
    """Translate errors of pikepdf, which can raise almost any exception for a damaged file."""
    try:
        yield
    except (OcrError, MemoryError):
        raise
    except pikepdf.PasswordError:
        raise EncryptedPdf("The password of the PDF is wrong.") from None
    except Exception as error:
        raise BrokenDocument("The document is too damaged to become a searchable PDF.") from error
