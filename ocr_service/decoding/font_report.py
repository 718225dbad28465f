"""Checks whether the fonts with which a PDF page is drawn have its letters.

Nothing shows that a PDF gives its codes a wrong meaning: then the page is drawn as the PDF says.
"""

import ctypes
import struct
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.decoding.font_files import is_standard_symbols
from ocr_service.decoding.fonts import SystemFonts

# The letters of the faces in PDFium.
_LATIN = frozenset(range(0x20, 0x7F)) | frozenset(
    map(ord, bytes(range(0x80, 0x100)).decode("cp1252", "ignore") + "ıŁłﬁﬂ⁄−∕∙μ")  # noqa: RUF001 signs
)
# Hyphens at the end of a line, as PDFium reports them.
_HYPHENS = frozenset((0x02, 0xAD, 0xFFFE))
# PDFium draws the value of a field itself if the PDF has no drawing of it: these letters and the Latin ones.
_LETTERS_OF_FIELDS = frozenset((*range(0x100, 0x250), *range(0x370, 0x500)))
_FIELD_OF_PDFIUM = "qQ/TxBMC"
_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
# Categories of spaces, control and format characters.
_NOT_DRAWN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf"))
# Text can be nested in form objects; this is the depth to which PDFium follows them.
_FORM_DEPTH = 41

_LAYOUT = struct.Struct(">??H")


@dataclass(frozen=True, slots=True)
class FontReport:
    """Findings about the fonts of a page that are not embedded.

    needs_system_fonts: the page has letters that PDFium cannot draw with its own faces.
    has_other_metrics: a font is replaced by one with other shapes or widths.
    lost: number of different characters that are not drawn, or perhaps as others.
    """

    needs_system_fonts: bool = False
    has_other_metrics: bool = False
    lost: int = 0

    SIZE = _LAYOUT.size

    def __bytes__(self) -> bytes:
        return _LAYOUT.pack(self.needs_system_fonts, self.has_other_metrics, min(self.lost, 0xFFFF))

    @classmethod
    def of_bytes(cls, data: bytes) -> "FontReport":
        """Undo `bytes(report)`."""
        return cls(*_LAYOUT.unpack(data))

    def warnings(self, missing_packages: list[str]) -> tuple[PageWarning, ...]:
        """Return the warning for the page, if it has a reason for one."""
        if self.lost:
            kinds = "1 kind of character" if self.lost == 1 else f"{self.lost} kinds of characters"
            detail = f"Fonts are not embedded in the PDF: {kinds} cannot be drawn, or may be drawn as others."
            if missing_packages:
                detail += f" The service lacks fonts: {', '.join(missing_packages)}."
        elif self.has_other_metrics:
            detail = "Fonts are not embedded in the PDF; others of different shape or width replace them."
        else:
            return ()
        return (PageWarning(WarningCode.FONTS_SUBSTITUTED, detail),)


@dataclass(frozen=True, slots=True)
class _UsedFont:
    """A font that is not embedded, with the characters of a page that have it."""

    raw: pdfium_c.FPDF_FONT
    name: str
    characters: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, raw: pdfium_c.FPDF_FONT) -> "_UsedFont":
        buffer = ctypes.create_string_buffer(256)
        pdfium_c.FPDFFont_GetBaseFontName(raw, buffer, len(buffer))
        return cls(raw, buffer.value.decode("utf-8", "replace"))

    @property
    def lacks_letters(self) -> bool:
        """True if the faces of PDFium lack letters of the text; it has the signs of the standard fonts."""
        return bool(self.characters - _LATIN) and not is_standard_symbols(self.name)

    def segments(self, character: int) -> int:
        """Return the number of lines and curves in the glyph of a character; 0 or less if it has none."""
        return _segments(self.raw, character)

    def file_size(self) -> int:
        size = ctypes.c_size_t()
        pdfium_c.FPDFFont_GetFontData(self.raw, None, 0, size)
        return size.value


@dataclass(frozen=True, slots=True)
class _AnnotationText:
    """The value of a form field, or the text of another annotation."""

    characters: set[int]
    is_drawn_by_pdfium: bool


def needs_system_fonts(page: pdfium.PdfPage) -> bool:
    """Return True if the page, loaded with the faces of PDFium, has letters that these lack."""
    used = _used_fonts(page)
    if any(font.lacks_letters for font in used):
        return True
    return any(text.characters - _LATIN for text in _annotation_texts(page))


def report_of(page: pdfium.PdfPage, fonts: SystemFonts, *, with_system_fonts: bool) -> FontReport:
    """Report about a page that is loaded with or without the fonts of the machine."""
    used = _used_fonts(page)
    glyphs = _Glyphs(fonts)
    lost = {character for font in used for character in font.characters if not glyphs.has(font, character)}
    glyphs.close()
    for text in _annotation_texts(page):
        if text.is_drawn_by_pdfium:
            lost |= text.characters - _LATIN - _LETTERS_OF_FIELDS
    return FontReport(
        with_system_fonts,
        has_other_metrics=not all(fonts.files.has_same_metrics(font.name) for font in used),
        lost=len(lost),
    )


class _Glyphs:
    """Compares the glyph that PDFium draws for a character with that of the replacing font file.

    They differ if the codes of the text have another meaning for PDFium than the PDF says.
    """

    def __init__(self, fonts: SystemFonts) -> None:
        self._fonts = fonts
        self._files = fonts.loaded()
        self._document = pdfium_c.FPDF_CreateNewDocument()
        self._loaded: dict[Path, pdfium_c.FPDF_FONT] = {}

    def has(self, font: _UsedFont, character: int) -> bool:
        segments = font.segments(character)
        path = self._files.get(font.file_size())
        if path is None:
            return segments > 0 and not font.lacks_letters
        return segments > 0 and segments == _segments(self._font(path), character)

    def _font(self, path: Path) -> pdfium_c.FPDF_FONT:
        if path not in self._loaded:
            data = self._fonts.data(path)
            buffer = (ctypes.c_ubyte * len(data)).from_buffer_copy(data)
            self._loaded[path] = pdfium_c.FPDFText_LoadFont(
                self._document, buffer, len(data), pdfium_c.FPDF_FONT_TRUETYPE, True
            )
        return self._loaded[path]

    def close(self) -> None:
        for font in self._loaded.values():
            pdfium_c.FPDFFont_Close(font)
        pdfium_c.FPDF_CloseDocument(self._document)


def _segments(font: pdfium_c.FPDF_FONT, character: int) -> int:
    path = pdfium_c.FPDFFont_GetGlyphPath(font, character, 10.0)
    return pdfium_c.FPDFGlyphPath_CountGlyphSegments(path) if path else 0


def _used_fonts(page: pdfium.PdfPage) -> list[_UsedFont]:
    used: dict[int, _UsedFont] = {}
    if not _has_other_fonts(page):
        return []
    text = page.get_textpage()
    for raw, character in _characters(text.raw):
        if (address := _address(raw)) not in used:
            used[address] = _UsedFont.of(raw)
        used[address].characters.add(character)
    text.close()
    return list(used.values())


def _has_other_fonts(page: pdfium.PdfPage) -> bool:
    """Return True if a font is not embedded; most pages end here."""
    texts = page.get_objects([pdfium_c.FPDF_PAGEOBJ_TEXT], max_depth=_FORM_DEPTH)
    return any(_other_font(text.raw) for text in texts)


def _other_font(text: pdfium_c.FPDF_PAGEOBJECT) -> pdfium_c.FPDF_FONT | None:
    """Return the font of a visible text if it is not embedded; the text of a scan is often invisible."""
    font = pdfium_c.FPDFTextObj_GetFont(text)
    if not font or pdfium_c.FPDFFont_GetIsEmbedded(font):
        return None
    return None if pdfium_c.FPDFTextObj_GetTextRenderMode(text) in _INVISIBLE else font


def _characters(text: pdfium_c.FPDF_TEXTPAGE) -> Iterator[tuple[pdfium_c.FPDF_FONT, int]]:
    """Yield the characters that are drawn and whose font is not embedded, each with its font."""
    fonts: dict[int, pdfium_c.FPDF_FONT | None] = {}
    for index in range(pdfium_c.FPDFText_CountChars(text)):
        found = pdfium_c.FPDFText_GetTextObject(text, index)
        if not found:
            continue
        if (address := _address(found)) not in fonts:
            fonts[address] = _other_font(found)
        if (font := fonts[address]) and not pdfium_c.FPDFText_IsGenerated(text, index):
            character = pdfium_c.FPDFText_GetUnicode(text, index)
            if _is_drawn(character) or pdfium_c.FPDFText_HasUnicodeMapError(text, index):
                yield font, character


def _is_drawn(character: int) -> bool:
    return unicodedata.category(chr(character)) not in _NOT_DRAWN and character not in _HYPHENS


def _annotation_texts(page: pdfium.PdfPage) -> Iterator[_AnnotationText]:
    for number in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, number)
        text = _text(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")
        if page.formenv:
            text += _text(pdfium_c.FPDFAnnot_GetFormFieldValue, page.formenv, annotation)
        if text:
            drawing = _text(pdfium_c.FPDFAnnot_GetAP, annotation, pdfium_c.FPDF_ANNOT_APPEARANCEMODE_NORMAL)
            yield _AnnotationText(set(map(ord, text)), drawing.startswith(_FIELD_OF_PDFIUM))
        pdfium_c.FPDFPage_CloseAnnot(annotation)


def _text(function: Callable[..., int], *arguments: object) -> str:
    """Call a function of PDFium that fills a buffer with UTF-16, and return the text without white space."""
    size = function(*arguments, None, 0)
    buffer = (pdfium_c.FPDF_WCHAR * (size // 2))()
    function(*arguments, buffer, size)
    text = bytes(buffer)[:size].decode("utf-16-le", "replace")
    return "".join(text.rstrip("\0").split())


def _address(pointer: "ctypes._Pointer[ctypes.Structure]") -> int:
    return ctypes.addressof(pointer.contents)
