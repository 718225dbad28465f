"""The objects that a PDF page and its annotations consist of."""

from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

# Objects can be nested in form objects; this is the depth to which PDFium follows them.
_FORM_DEPTH = 41


def page_objects(
    page: pdfium.PdfPage, kind: int, form: pdfium.PdfObject | None = None
) -> Iterator[pdfium.PdfObject]:
    """Yield the objects of a page, or of one form on it; kind: a constant of PDFium."""
    yield from page.get_objects([kind], max_depth=_FORM_DEPTH, form=form)


def annotations(page: pdfium.PdfPage) -> Iterator[pdfium_c.FPDF_ANNOTATION]:
    """Yield the annotations of a page: form fields, stamps and others. Each is open until the next."""
    for number in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, number)
        try:
            yield annotation
        finally:
            pdfium_c.FPDFPage_CloseAnnot(annotation)


def annotation_objects(
    page: pdfium.PdfPage, annotation: pdfium_c.FPDF_ANNOTATION, kind: int
) -> Iterator[pdfium.PdfObject]:
    """Yield the objects with which an annotation is drawn."""
    for position in range(pdfium_c.FPDFAnnot_GetObjectCount(annotation)):
        raw = pdfium_c.FPDFAnnot_GetObject(annotation, position)
        found_kind = pdfium_c.FPDFPageObj_GetType(raw)
        if found_kind == kind:
            yield pdfium.PdfObject(raw, page=page, pdf=page.pdf)
        elif found_kind == pdfium_c.FPDF_PAGEOBJ_FORM:
            yield from page_objects(page, kind, form=pdfium.PdfObject(raw, page=page, pdf=page.pdf))


def pictures(page: pdfium.PdfPage) -> Iterator[pdfium.PdfObject]:
    """Yield the pictures of a page, and of its stamps and other annotations."""
    yield from page_objects(page, pdfium_c.FPDF_PAGEOBJ_IMAGE)
    for annotation in annotations(page):
        yield from annotation_objects(page, annotation, pdfium_c.FPDF_PAGEOBJ_IMAGE)
