"""Removes the hidden text of an earlier recognition from a page and from its form XObjects."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import pikepdf
from pikepdf import ContentStreamInstruction, Dictionary, Name, Object, Operator, Stream

from ocr_service.exports.pdf.invisible_text import INVISIBLE

Instruction = ContentStreamInstruction | pikepdf.ContentStreamInlineImage

_SHOWING = frozenset(("Tj", "TJ", "'", '"'))
# They set the place of the next text, so that it does not depend on the text before.
_PLACING = frozenset(("BT", "Tm", "Td", "TD", "T*"))
# Of the dictionary of a stream, these belong to its data.
_OF_THE_DATA = frozenset(("/Length", "/Filter", "/DecodeParms"))
_MAX_DEPTH = 8
# Operands of damaged contents can be missing, or of any type.
_WRONG_OPERANDS = (ArithmeticError, LookupError, TypeError, ValueError)


class _Inseparable(Exception):
    """Seen text has its place by the end of hidden text."""


def remove_hidden_text(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Remove the hidden text of a page; nothing else that is shown changes.

    A page whose contents are damaged, or whose seen text has its place by the hidden text, keeps both.
    """
    resources = page.obj.get("/Resources", Dictionary())
    try:
        if not _may_hide_text(page.obj.get("/Contents"), resources, set()):
            return
        content = _Content(pdf, resources)
        kept = content.without_hidden_text(page)
    except (pikepdf.PdfError, _Inseparable, *_WRONG_OPERANDS):
        return
    if kept is not None:
        page.obj.Contents = pdf.make_stream(kept)
        page.obj.Resources = content.resources


def _may_hide_text(contents: Object | None, resources: Object, seen: set[tuple[int, int]]) -> bool:
    """Return whether the contents, or a form, set the rendering mode; much faster than parsing them.

    seen: forms that do not.
    """
    streams = contents if isinstance(contents, pikepdf.Array) else [contents]
    if any(isinstance(stream, Stream) and b"Tr" in stream.read_bytes() for stream in streams):
        return True
    for form in _forms(resources):
        if form.objgen not in seen:
            seen.add(form.objgen)
            if _may_hide_text(form, form.get("/Resources", Dictionary()), seen):
                return True
    return False


def _forms(resources: Object) -> Iterator[Object]:
    for form in resources.get("/XObject", Dictionary()).values():
        if isinstance(form, Stream) and form.get("/Subtype") == Name.Form:
            yield form


@dataclass(slots=True)
class _Content:
    """The contents of a page or a form. resources: those that they use; a copy, once a form is replaced.

    mode: rendering mode in which the text begins. depth: of forms in forms. replaced: the new name of each
    form, by its old name and the mode; None if it has no hidden text.
    """

    pdf: pikepdf.Pdf
    resources: Object
    mode: int = 0
    depth: int = 0
    kept: list[Instruction] = field(default_factory=list)
    outer: list[int] = field(default_factory=list)
    replaced: dict[tuple[str, int], Name | None] = field(default_factory=dict)
    is_changed: bool = False
    follows_hidden: bool = False

    def without_hidden_text(self, holder: pikepdf.Page | Object) -> bytes | None:
        """Return the contents without hidden text, or None if they have none. holder: of the contents."""
        for instruction in pikepdf.parse_content_stream(holder):
            self._read(instruction)
        return pikepdf.unparse_content_stream(self.kept) if self.is_changed else None

    def _read(self, instruction: Instruction) -> None:
        operator = str(instruction.operator)
        if operator in _SHOWING:
            self._show(operator, instruction)
            return
        if operator == "q":
            self.outer.append(self.mode)
        elif operator == "Q" and self.outer:
            self.mode = self.outer.pop()
        elif operator == "Tr":
            self.mode = int(instruction.operands[0])
        elif operator == "Do":
            instruction = self._form(instruction)
        elif operator in _PLACING:
            self.follows_hidden = False
        self.kept.append(instruction)

    def _show(self, operator: str, instruction: Instruction) -> None:
        """Keep text, or leave it out with the effect that it has on other text."""
        opens_line = operator in ("'", '"')
        self.follows_hidden = self.follows_hidden and not opens_line
        if self.mode != INVISIBLE:
            if self.follows_hidden:
                raise _Inseparable
            self.kept.append(instruction)
            return
        self.is_changed = self.follows_hidden = True
        if operator == '"':
            self._keep("Tw", instruction.operands[0])
            self._keep("Tc", instruction.operands[1])
        if opens_line:
            self._keep("T*")

    def _keep(self, operator: str, *operands: Object) -> None:
        self.kept.append(ContentStreamInstruction(operands, Operator(operator)))

    def _form(self, instruction: Instruction) -> Instruction:
        """Return the instruction that draws the form without hidden text."""
        key = str(instruction.operands[0]), self.mode
        if key not in self.replaced:
            self.replaced[key] = self._replaced(key[0])
        name = self.replaced[key]
        if name is None:
            return instruction
        self.is_changed = True
        return ContentStreamInstruction([name], Operator("Do"))

    def _replaced(self, name: str) -> Name | None:
        """Add a copy of a form without hidden text, because another page can use the form itself."""
        form = self.resources.get("/XObject", Dictionary()).get(name)
        if not isinstance(form, Stream) or form.get("/Subtype") != Name.Form or self.depth == _MAX_DEPTH:
            return None
        inner = _Content(self.pdf, form.get("/Resources", self.resources), self.mode, self.depth + 1)
        kept = inner.without_hidden_text(form)
        if kept is None:
            return None
        values = {key: value for key, value in form.stream_dict.items() if key not in _OF_THE_DATA}
        copied = self.pdf.make_stream(kept, {**values, "/Resources": inner.resources})
        self.resources = copy.copy(self.resources)
        self.resources.XObject = copy.copy(self.resources.XObject)
        new_name = Name.random(prefix="Ocr")
        self.resources.XObject[new_name] = copied
        return new_name
