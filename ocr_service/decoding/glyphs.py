"""Compares the glyphs that PDFium draws with those that the characters have in the font files."""

import ctypes
from pathlib import Path

import pypdfium2.raw as pdfium_c

from ocr_service.decoding.fonts import SystemFonts

# The characters of the faces in PDFium.
LATIN = frozenset(range(0x20, 0x7F)) | frozenset(
    map(ord, bytes(range(0x80, 0x100)).decode("cp1252", "ignore") + "ıŁłﬁﬂ⁄−∕∙μ")  # noqa: RUF001 signs
)

# Stands for a code without a known meaning; no font has it.
NO_CHARACTER = 0xFFFF


class Glyphs:
    """The glyphs of the font files that PDFium has loaded; stays in memory.

    PDFium draws another glyph if it takes a code of the text for another character than the PDF says, and a
    box or nothing if the font lacks the character.
    """

    def __init__(self, fonts: SystemFonts) -> None:
        self.files = fonts.files
        self._fonts = fonts
        self._document = pdfium_c.FPDF_CreateNewDocument()
        self._loaded: dict[Path, pdfium_c.FPDF_FONT] = {}

    def show(self, font: pdfium_c.FPDF_FONT, character: int) -> bool:
        """Return True if the character is drawn as what it is."""
        lines = _line_count(font, character)
        files = self._fonts.loaded()
        if _file_size(font) not in files:
            # A face of PDFium: a glyph of another character than these is a wrong one.
            return lines > 0 and character in LATIN
        # A character that the font lacks can come from another one.
        return lines > 0 and any(self._line_count(path, character) == lines for path in files.values())

    def _line_count(self, path: Path, character: int) -> int:
        """Return the number of lines in the glyph of a file, or 0 if the file lacks the character."""
        font = self._font(path)
        is_lacking = _outline(font, character) == _outline(font, NO_CHARACTER)
        return 0 if is_lacking else _line_count(font, character)

    def _font(self, path: Path) -> pdfium_c.FPDF_FONT:
        if path not in self._loaded:
            data = self._fonts.data(path)
            buffer = (ctypes.c_ubyte * len(data)).from_buffer_copy(data)
            self._loaded[path] = pdfium_c.FPDFText_LoadFont(
                self._document, buffer, len(data), pdfium_c.FPDF_FONT_TRUETYPE, True
            )
        return self._loaded[path]


def _line_count(font: pdfium_c.FPDF_FONT, character: int) -> int:
    path = pdfium_c.FPDFFont_GetGlyphPath(font, character, 10.0)
    return pdfium_c.FPDFGlyphPath_CountGlyphSegments(path) if path else 0


def _outline(font: pdfium_c.FPDF_FONT, character: int) -> list[tuple[float, float]]:
    path = pdfium_c.FPDFFont_GetGlyphPath(font, character, 10.0)
    points = []
    for number in range(_line_count(font, character)):
        segment = pdfium_c.FPDFGlyphPath_GetGlyphPathSegment(path, number)
        x, y = ctypes.c_float(), ctypes.c_float()
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        points.append((x.value, y.value))
    return points


def _file_size(font: pdfium_c.FPDF_FONT) -> int:
    size = ctypes.c_size_t()
    pdfium_c.FPDFFont_GetFontData(font, None, 0, size)
    return size.value
