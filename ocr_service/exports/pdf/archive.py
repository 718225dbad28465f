"""PDF/A-2b (ISO 19005-2): prepared and checked by the rules of veraPDF, which pikepdf has."""

import io

import pikepdf
from pikepdf.pdfa import Report, prepare, resolve_save_kwargs, validate_written

from ocr_service.core.errors import NotArchivable

_FLAVOUR = "2b"
# Clauses of ISO 19005-2 → their subject.
_SUBJECTS = {
    "6.1": "the structure of the file",
    "6.2.4": "colours",
    "6.2.8": "pictures",
    "6.2.10": "transparency",
    "6.2.11": "fonts that are not embedded, or embedded with errors",
    "6.2": "graphics",
    "6.3": "annotations",
    "6.4": "form fields",
    "6.5": "actions",
    "6.6": "metadata",
    "6.8": "embedded files",
    "6.9": "optional content",
}


def archival(pdf: pikepdf.Pdf) -> bytes:
    """Return the PDF as PDF/A-2b; raises NotArchivable. Its looks do not change."""
    _drop_extras(pdf)
    prepare(pdf, _FLAVOUR)
    file, settings = io.BytesIO(), resolve_save_kwargs(_FLAVOUR)
    pdf.save(file, **settings)
    report = validate_written(file, _FLAVOUR, settings)
    if not report.passed:
        raise NotArchivable(f"PDF/A-2b forbids in it, or does not know: {', '.join(_subjects(report))}.")
    return file.getvalue()


def _drop_extras(pdf: pikepdf.Pdf) -> None:
    """Remove entries that the check does not know, and that do not change the looks of a page.

    They are the action at opening, transitions of a slide show, and lists of the characters in a font.
    """
    holders = [(pdf.Root, "/OpenAction"), *((page.obj, "/Trans") for page in pdf.pages)]
    holders += [(each, "/CIDSet") for each in pdf.objects if isinstance(each, pikepdf.Dictionary)]
    for holder, name in holders:
        if name in holder:
            del holder[name]


def _subjects(report: Report) -> list[str]:
    """Return the subjects of the findings, without words of the document."""
    return sorted({_subject(finding.rule) for finding in report.findings})


def _subject(rule: str) -> str:
    """Return the subject of a rule, such as `ISO_19005_2:6.2.11.4.1-1`."""
    clause = rule.partition(":")[2].partition("-")[0]
    known = [name for name in _SUBJECTS if f"{clause}.".startswith(f"{name}.")]
    return _SUBJECTS[max(known, key=len)] if known else "parts of an unusual kind"
