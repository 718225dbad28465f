"""Notes on a page, as annotations: the page itself stays as it is."""

from collections.abc import Sequence

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from ocr_service.exports.pdf.places import Sheet

_SIDE = 18
# Print, no zoom, no rotation: PDF/A asks for all of them (ISO 19005-2, 6.3.2).
_FLAGS = 4 + 8 + 16
_LOOK = b"1 0.8 0.2 rg 0.5 0.5 17 17 re b"


def add_note(pdf: pikepdf.Pdf, page: pikepdf.Page, sentences: Sequence[str]) -> None:
    """Put one note with all sentences into the upper left corner of a page, as it is shown."""
    corners = Sheet.of(page).at(0, 0), Sheet.of(page).at(_SIDE, _SIDE)
    (x0, x1), (y0, y1) = (sorted(axis) for axis in zip(*corners, strict=True))
    look = pdf.make_stream(
        _LOOK, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, _SIDE, _SIDE]), Resources=Dictionary()
    )
    note = Dictionary(
        Type=Name.Annot,
        Subtype=Name.Text,
        Rect=Array([x0, y0, x1, y1]),
        Name=Name.Note,
        T=String("OCR"),
        Contents=String("\n".join(sentences)),
        F=_FLAGS,
        AP=Dictionary(N=look),
    )
    notes = page.obj.get("/Annots")
    kept = list(notes) if isinstance(notes, Array) else []
    page.obj.Annots = Array([*kept, pdf.make_indirect(note)])
