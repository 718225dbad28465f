"""Checks whether the fonts with which a PDF page is drawn have its letters.

Nothing shows that a PDF gives its codes a wrong meaning: then the page is drawn as the PDF says.
"""

import ctypes
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.decoding.font_files import is_standard_symbols, is_symbols
from ocr_service.decoding.glyphs import LATIN, NO_CHARACTER, Glyphs
from ocr_service.decoding.page_objects import annotation_objects, annotations, page_objects

# Hyphens at the end of a line, as PDFium reports them.
_HYPHENS = frozenset((0x02, 0xAD, 0xFFFE))
# PDFium draws the value of a field itself if the PDF has no drawing of it: these letters and the Latin ones.
_LETTERS_OF_FIELDS = frozenset((*range(0x100, 0x250), *range(0x370, 0x500)))
_FIELD_OF_PDFIUM = "qQ/TxBMC"
_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
# Categories of spaces, control and format characters.
_NOT_DRAWN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf"))


def _of_character(function: Any, result: Any) -> Callable[[int | None, int], Any]:
    """Return a function of PDFium with addresses as numbers: pointer objects take longer than the call."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p, ctypes.c_int)(address)


_text_object = _of_character(pdfium_c.FPDFText_GetTextObject, ctypes.c_void_p)
_unicode = _of_character(pdfium_c.FPDFText_GetUnicode, ctypes.c_uint)
_has_map_error = _of_character(pdfium_c.FPDFText_HasUnicodeMapError, ctypes.c_int)

_SUBSTITUTED = "Fonts are not embedded in the PDF; fonts of other shape, width or character set replace them."
_LACKING = "Fonts are not embedded in the PDF: some characters cannot be drawn, or may be drawn as others."


@dataclass(frozen=True, slots=True)
class FontReport:
    """Findings about the fonts of a page that are not embedded.

    needs_system_fonts: the page has letters that PDFium cannot draw with its own faces.
    has_other_metrics: a font is replaced by one with other shapes or widths.
    lacks_characters: characters are not drawn, or perhaps as others.
    """

    needs_system_fonts: bool = False
    has_other_metrics: bool = False
    lacks_characters: bool = False

    def warnings(self, missing_packages: list[str]) -> tuple[PageWarning, ...]:
        """Return the warnings for the page."""
        if not (self.has_other_metrics or self.lacks_characters):
            return ()
        substituted = PageWarning(WarningCode.FONTS_SUBSTITUTED, _SUBSTITUTED)
        if not self.lacks_characters:
            return (substituted,)
        detail = _LACKING
        if missing_packages:
            detail += f" The service lacks fonts: {', '.join(missing_packages)}."
        return substituted, PageWarning(WarningCode.MISSING_CHARACTERS, detail)


@dataclass(frozen=True, slots=True)
class _UsedFont:
    """A font of letters that is not embedded, with the characters of a page that have it."""

    raw: pdfium_c.FPDF_FONT
    name: str
    characters: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, raw: pdfium_c.FPDF_FONT) -> "_UsedFont":
        buffer = ctypes.create_string_buffer(256)
        pdfium_c.FPDFFont_GetBaseFontName(raw, buffer, len(buffer))
        return cls(raw, buffer.value.decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class _AnnotationText:
    """The value of a form field, or the text of another annotation."""

    characters: set[int]
    is_drawn_by_pdfium: bool


def report_of(page: pdfium.PdfPage, glyphs: Glyphs, *, with_system_fonts: bool) -> FontReport:
    """Report about a page that is loaded with or without the fonts of the machine."""
    used, noted = _used_fonts(page), list(_annotation_texts(page))
    texts: Iterable[_UsedFont | _AnnotationText] = chain(used, noted)
    if not with_system_fonts and any(text.characters - LATIN for text in texts):
        return FontReport(needs_system_fonts=True)
    lost = {
        character for font in used for character in font.characters if not glyphs.show(font.raw, character)
    }
    for text in noted:
        if text.is_drawn_by_pdfium:
            lost |= text.characters - LATIN - _LETTERS_OF_FIELDS
    return FontReport(
        with_system_fonts,
        has_other_metrics=not all(glyphs.files.has_same_metrics(font.name) for font in used),
        # Letters are drawn for the signs of such a font.
        lacks_characters=bool(lost) or any(is_symbols(font.name) for font in used),
    )


def _used_fonts(page: pdfium.PdfPage) -> list[_UsedFont]:
    if not _has_other_fonts(page):
        return []
    text = page.get_textpage()
    used = _fonts_with_characters(text.raw)
    text.close()
    return [font for font in used if not is_standard_symbols(font.name)]


def _fonts_with_characters(text: pdfium_c.FPDF_TEXTPAGE) -> Iterable[_UsedFont]:
    """Return the fonts that are not embedded, with the characters that are drawn.

    A page has thousands of characters, so each takes as few calls as possible.
    """
    used: dict[int, _UsedFont] = {}
    of_objects: dict[int, _UsedFont | None] = {}
    place = ctypes.cast(text, ctypes.c_void_p).value
    for index in range(pdfium_c.FPDFText_CountChars(text)):
        address = _text_object(place, index)
        if address not in of_objects:
            of_objects[address] = _used_font(address, used)
        font = of_objects[address]
        if font is None:
            continue
        character = _unicode(place, index)
        if _has_map_error(place, index):
            # Only the code is known. Codes of control characters are often left over, and draw nothing.
            if character >= ord(" ") or _height(text, index):
                font.characters.add(NO_CHARACTER)
        elif character not in font.characters and _is_drawn(text, index, character):
            font.characters.add(character)
    return used.values()


def _used_font(address: int | None, used: dict[int, _UsedFont]) -> _UsedFont | None:
    """Return the font of the text object at this address, which is then in `used`; None if it is embedded."""
    font = _other_font(ctypes.cast(address, pdfium_c.FPDF_PAGEOBJECT)) if address else None
    return used.setdefault(_address(font), _UsedFont.of(font)) if font else None


def _is_drawn(text: pdfium_c.FPDF_TEXTPAGE, index: int, character: int) -> bool:
    if unicodedata.category(chr(character)) in _NOT_DRAWN or character in _HYPHENS:
        return False
    return not pdfium_c.FPDFText_IsGenerated(text, index)


def _has_other_fonts(page: pdfium.PdfPage) -> bool:
    """Return True if a font is not embedded; most pages end here."""
    return any(_other_font(text.raw) for text in page_objects(page, pdfium_c.FPDF_PAGEOBJ_TEXT))


def _other_font(text: pdfium_c.FPDF_PAGEOBJECT) -> pdfium_c.FPDF_FONT | None:
    """Return the font of a visible text if it is not embedded; the text of a scan is often invisible."""
    font = pdfium_c.FPDFTextObj_GetFont(text)
    if not font or pdfium_c.FPDFFont_GetIsEmbedded(font):
        return None
    return None if pdfium_c.FPDFTextObj_GetTextRenderMode(text) in _INVISIBLE else font


def _height(text: pdfium_c.FPDF_TEXTPAGE, index: int) -> float:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium_c.FPDFText_GetCharBox(text, index, left, right, bottom, top)
    return top.value - bottom.value


def _annotation_texts(page: pdfium.PdfPage) -> Iterator[_AnnotationText]:
    for annotation in annotations(page):
        text = _text(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")
        if page.formenv:
            text += _text(pdfium_c.FPDFAnnot_GetFormFieldValue, page.formenv, annotation)
        if text:
            drawing = _text(pdfium_c.FPDFAnnot_GetAP, annotation, pdfium_c.FPDF_ANNOT_APPEARANCEMODE_NORMAL)
            yield _AnnotationText(set(map(ord, text)), drawing.startswith(_FIELD_OF_PDFIUM))
        elif pdfium_c.FPDFAnnot_GetSubtype(annotation) != pdfium_c.FPDF_ANNOT_WIDGET:
            # PDFium does not tell the characters of a stamp.
            texts = annotation_objects(page, annotation, pdfium_c.FPDF_PAGEOBJ_TEXT)
            if any(_other_font(shown.raw) for shown in texts):
                yield _AnnotationText({NO_CHARACTER}, is_drawn_by_pdfium=False)


def _text(function: Callable[..., int], *arguments: object) -> str:
    """Call a function of PDFium that fills a buffer with UTF-16, and return the text without white space."""
    size = function(*arguments, None, 0)
    buffer = (pdfium_c.FPDF_WCHAR * (size // 2))()
    function(*arguments, buffer, size)
    text = bytes(buffer)[:size].decode("utf-16-le", "replace")
    return "".join(text.rstrip("\0").split())


def _address(pointer: "ctypes._Pointer[ctypes.Structure]") -> int:
    return ctypes.addressof(pointer.contents)
