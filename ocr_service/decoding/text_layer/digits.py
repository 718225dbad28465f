"""Digits that look like others: a PDF can give the codes of a font a wrong meaning, as 5 for the code of 3.

PDFium has no function that tells the code of a character. It tells the glyph of one of the codes that mean a
digit: this glyph is compared with those of the standard fonts. It tells the place of the ink as well, which
shows whether another glyph is drawn for the same digit.
"""

import ctypes
import re
from collections import defaultdict
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.decoding.glyphs import NO_CHARACTER
from ocr_service.decoding.text_layer.characters import PageCharacters
from ocr_service.decoding.text_layer.digit_shapes import DIGITS, looks_like_another
from ocr_service.decoding.text_layer.glyph_pictures import outline_of

_DIGIT = re.compile(f"[{DIGITS}]")
# Fonts have boxes in thousandths of their size.
_SAME_PLACE = 0.003
_EM = 1000.0


class _Ink(NamedTuple):
    """The place of a glyph: left as a share of its right edge, bottom and top as shares of the font size."""

    left: float
    bottom: float
    top: float

    def differs(self, other: "_Ink") -> bool:
        return any(abs(mine - its) > _SAME_PLACE for mine, its in zip(self, other, strict=True))


def has_wrong_digits(characters: PageCharacters, document: pdfium.PdfDocument) -> bool:
    """Return whether a digit of the text clearly looks like another one, or is drawn in two ways."""
    return any(
        _is_wrong(document, ctypes.cast(font, pdfium_c.FPDF_FONT), digit, inks)
        for (font, digit), inks in _drawn_digits(characters).items()
    )


def _is_wrong(document: pdfium.PdfDocument, font: pdfium_c.FPDF_FONT, digit: str, inks: set[_Ink]) -> bool:
    if _has_wrong_glyph(font, digit):
        return True
    known = _known_ink(document, font, digit) if inks else None
    return known is not None and any(map(known.differs, inks))


def _drawn_digits(characters: PageCharacters) -> dict[tuple[int, str], set[_Ink]]:
    """Return the digits of each font, with the places of their ink where the text is upright."""
    drawn = defaultdict[tuple[int, str], set[_Ink]](set)
    slanted: dict[int, bool] = {}
    for found in _DIGIT.finditer(characters.text):
        index = found.start()
        style = characters.style(index)
        if style is None or not style.font or not style.is_visible or style.is_stated:
            continue
        inks = drawn[style.font, found[0]]
        if style.source not in slanted:
            slanted[style.source] = style.angle != 0 or _is_slanted(characters, index)
        if not slanted[style.source]:
            ink = _ink(characters, index, style.size)
            inks.update([ink] if ink else [])
    return drawn


def _is_slanted(characters: PageCharacters, index: int) -> bool:
    raw = pdfium_c.FS_MATRIX()
    pdfium_c.FPDFText_GetMatrix(characters.raw, index, raw)
    return bool(abs(raw.c) > _SAME_PLACE * abs(raw.d))


def _ink(characters: PageCharacters, index: int, size: float) -> _Ink | None:
    """Return the place of the ink of an upright character; None without any."""
    x, y = characters.origin(index)
    edges = [ctypes.c_double() for _ in range(4)]
    pdfium_c.FPDFText_GetCharBox(characters.raw, index, *edges)
    left, right, bottom, top = (edge.value for edge in edges)
    return _ink_of(left - x, right - x, (bottom - y) / size, (top - y) / size) if size else None


def _ink_of(left: float, right: float, bottom: float, top: float) -> _Ink | None:
    # Text can be stretched, which the share does not show.
    return _Ink(round(left / right, 3), round(bottom, 3), round(top, 3)) if right and top > bottom else None


def _has_wrong_glyph(font: pdfium_c.FPDF_FONT, digit: str) -> bool:
    outline = outline_of(font, ord(digit))
    # A font can lack the character: PDFium then draws this glyph, or nothing.
    if not outline or outline == outline_of(font, NO_CHARACTER):
        return False
    return looks_like_another(outline, int(digit))


def _known_ink(document: pdfium.PdfDocument, font: pdfium_c.FPDF_FONT, digit: str) -> _Ink | None:
    """Return the place of the ink of the glyph whose outline PDFium tells."""
    text = pdfium_c.FPDFPageObj_CreateTextObj(document, font, _EM)
    edges = [ctypes.c_float() for _ in range(4)]
    codes = (pdfium_c.FPDF_WCHAR * 2)(ord(digit), 0)
    pdfium_c.FPDFText_SetText(text, codes)
    is_known = pdfium_c.FPDFPageObj_GetBounds(text, *edges)
    pdfium_c.FPDFPageObj_Destroy(text)
    left, bottom, right, top = (edge.value / _EM for edge in edges)
    return _ink_of(left, right, bottom, top) if is_known else None
