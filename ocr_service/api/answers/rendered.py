"""A result as one file: Markdown, text, HTML, a Word document, a searchable PDF."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ocr_service.api.answers.pieces import Run
from ocr_service.api.requests.accept import PDF_FORMS, Form
from ocr_service.core.documents import PAGE_BREAK, DocumentResult
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.exports.pdf.writing import Original, searchable_pdf
from ocr_service.runtime.memory import joined
from ocr_service.storage.bundles import FileToStore

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PDF = "application/pdf"
SIGNATURE_REMOVED = "signature_removed"
"""Code beside those of the pages' warnings, for a PDF that had a digital signature."""

# Title of a document that was sent without a name.
_UNTITLED = "Document"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file, and codes of warnings about it beside those of the pages."""

    file: FileToStore
    warnings: Sequence[str] = ()


async def rendered(
    result: DocumentResult,
    form: Form,
    engine: str,
    name: str,
    original: Original | None,
    run: Run = asyncio.to_thread,
) -> Rendered:
    """Return the file of a result; raises DocumentError if the document cannot become such a file.

    form: not "json" and not "stream". engine: name of the engine. name: of the document, or "". original: the
    document itself, for a PDF. run: runs a step in a thread.
    """
    if form in PDF_FORMS:
        assert original is not None
        pdf = await searchable_pdf(original, result, archival=form == "pdfa")
        return Rendered(
            FileToStore("result.pdf", pdf.data, PDF), (SIGNATURE_REMOVED,) if pdf.was_signed else ()
        )
    # In a thread, because a long document takes a while and must not delay the probes.
    return Rendered(await run(_RENDERERS[form], result, engine, name))


def _markdown(result: DocumentResult, engine: str, name: str) -> FileToStore:
    markdown = _with_breaks(page.markdown for page in result.pages)
    return FileToStore("result.md", markdown, "text/markdown; charset=utf-8")


def _text(result: DocumentResult, engine: str, name: str) -> FileToStore:
    text = _with_breaks(page.text for page in result.pages)
    return FileToStore("result.txt", text, "text/plain; charset=utf-8")


def _html(result: DocumentResult, engine: str, name: str) -> FileToStore:
    # Imported here, because the parsers take 0.2 s to import and few requests need them.
    from ocr_service.exports.html import to_html

    body = to_html(result, name or _UNTITLED, formulas=engine == PADDLEOCR_VL)
    return FileToStore("result.html", body.encode(), "text/html; charset=utf-8")


def _docx(result: DocumentResult, engine: str, name: str) -> FileToStore:
    # As above: 0.3 s.
    from ocr_service.exports.docx import to_docx

    body = to_docx(result, name or _UNTITLED, formulas=engine == PADDLEOCR_VL)
    return FileToStore("result.docx", body, DOCX)


def _with_breaks(texts: Iterable[str]) -> bytes:
    """Return the texts of all pages that have any."""
    encoded = [f"{PAGE_BREAK}{text}".encode() for text in texts if text]
    return joined(encoded)[len(PAGE_BREAK) :]


_RENDERERS: Mapping[Form, Callable[[DocumentResult, str, str], FileToStore]] = {
    "markdown": _markdown,
    "text": _text,
    "html": _html,
    "docx": _docx,
}
