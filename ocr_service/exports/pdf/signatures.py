"""Digital signatures, which a change of the PDF makes invalid."""

from collections.abc import Iterator

import pikepdf
from pikepdf import Array, Dictionary, Name


def remove_signatures(pdf: pikepdf.Pdf) -> bool:
    """Remove the signatures; return whether there were any. Their pictures on the pages stay."""
    form = pdf.Root.get("/AcroForm")
    if not isinstance(form, Dictionary):
        return False
    signed = [field for field in _fields(form.get("/Fields")) if _is_signed(field)]
    for field in signed:
        del field.V
    if signed:
        for holder, name in ((form, "/SigFlags"), (pdf.Root, "/Perms")):
            if name in holder:
                del holder[name]
    return bool(signed)


def _is_signed(field: Dictionary) -> bool:
    return field.get("/FT") == Name.Sig and "/V" in field


def _fields(listed: object) -> Iterator[Dictionary]:
    """Yield the fields of a form, each once; a damaged file can name one in itself."""
    left, seen = [listed], set[tuple[int, int]]()
    while left:
        fields = left.pop()
        for field in fields if isinstance(fields, Array) else ():
            if isinstance(field, Dictionary) and field.objgen not in seen:
                if field.is_indirect:
                    seen.add(field.objgen)
                yield field
                left.append(field.get("/Kids"))
