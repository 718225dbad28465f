"""The parts of a page that may show more text: pictures, form fields, letters drawn as shapes."""

import ctypes
from collections.abc import Iterable, Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.decoding.page_objects import annotation_objects, annotations
from ocr_service.decoding.text_layer.geometry import Rect
from ocr_service.decoding.text_layer.painting import Painting

# In points: smaller parts hold no words; parts that are nearer than this are one.
_MIN_WIDTH, _MIN_HEIGHT = 14.0, 7.0
_NEAR = 6.0
# Fewer shapes that look like letters are signs of another kind.
_MIN_LETTERS = 12

# Icons of notes, and the windows of the viewer that show them.
_WITHOUT_TEXT = (pdfium_c.FPDF_ANNOT_TEXT, pdfium_c.FPDF_ANNOT_POPUP)
# Their letters can be shapes, as those of the stamps of Acrobat are.
_OF_WORDS = (pdfium_c.FPDF_ANNOT_STAMP, pdfium_c.FPDF_ANNOT_FREETEXT)
_SWITCHES = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
_NOT_SHOWN = pdfium_c.FPDF_ANNOT_FLAG_HIDDEN | pdfium_c.FPDF_ANNOT_FLAG_NOVIEW


def regions_of(page: pdfium.PdfPage, painting: Painting) -> list[Rect]:
    """Return the parts of a page, in units of the page; near ones are joined."""
    letters = painting.letters if len(painting.letters) >= _MIN_LETTERS else []
    found = [*painting.pictures, *letters, *_annotations(page)]
    shown = (rect.common(painting.page) for rect in found)
    joined = _joined((rect for rect in shown if rect.area), _NEAR * painting.point)
    return [rect for rect in joined if _can_hold_words(rect, painting.point)]


def _can_hold_words(rect: Rect, point: float) -> bool:
    return rect.width >= _MIN_WIDTH * point and rect.height >= _MIN_HEIGHT * point


def _joined(rects: Iterable[Rect], near: float) -> list[Rect]:
    """Join boxes that overlap or are near, until none are."""
    joined: list[Rect] = []
    for rect in rects:
        merged, apart = rect, []
        for other in joined:
            if merged.is_near(other, near):
                merged = merged.union(other)
            else:
                apart.append(other)
        joined = [*apart, merged]
    return joined if len(joined) < 2 or not _any_near(joined, near) else _joined(joined, near)


def _any_near(rects: list[Rect], near: float) -> bool:
    return any(one.is_near(other, near) for n, one in enumerate(rects) for other in rects[:n])


def _annotations(page: pdfium.PdfPage) -> Iterator[Rect]:
    """Yield the boxes of annotations that show text or a picture."""
    for annotation in annotations(page):
        if _shows_text(page, annotation):
            raw = pdfium_c.FS_RECTF()
            if pdfium_c.FPDFAnnot_GetRect(annotation, raw):
                yield Rect.around([(raw.left, raw.bottom), (raw.right, raw.top)])


def _shows_text(page: pdfium.PdfPage, annotation: pdfium_c.FPDF_ANNOTATION) -> bool:
    subtype = pdfium_c.FPDFAnnot_GetSubtype(annotation)
    if subtype in _WITHOUT_TEXT:
        return False
    if pdfium_c.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN:
        return False
    if page.formenv:
        if pdfium_c.FPDFAnnot_GetFormFieldType(page.formenv, annotation) in _SWITCHES:
            return False
        if pdfium_c.FPDFAnnot_GetFormFieldValue(page.formenv, annotation, None, 0) > ctypes.sizeof(
            pdfium_c.FPDF_WCHAR
        ):
            return True
    kinds = [pdfium_c.FPDF_PAGEOBJ_TEXT, pdfium_c.FPDF_PAGEOBJ_IMAGE]
    if subtype in _OF_WORDS:
        kinds.append(pdfium_c.FPDF_PAGEOBJ_PATH)
    return any(True for kind in kinds for _ in annotation_objects(page, annotation, kind))
