"""The characters of a PDF page → pieces of words, with place, size and style.

A page has thousands of characters, and each call of PDFium costs a microsecond. So PDFium is asked only for
the ends of a word, and the style once for each text object.
"""

import ctypes
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ocr_service.decoding.text_layer.blanks import blanks_of, gaps_of
from ocr_service.decoding.text_layer.geometry import Matrix
from ocr_service.decoding.text_layer.replacements import has_stated_text

# PDFium joins the parts of a hyphenated word: one of these stands for the hyphen.
HYPHENS = "\x02\ufffe"
_WORD = re.compile(rf"[^\s{HYPHENS}]+[{HYPHENS}]?|[{HYPHENS}]")
_UNKNOWN = "\ufffd"
_HALF = re.compile("[\ud800-\udfff]")

_STROKED = (pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE, pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE_CLIP)
_INVISIBLE = (pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium_c.FPDF_TEXTRENDERMODE_CLIP)
_ONLY_STROKED = (pdfium_c.FPDF_TEXTRENDERMODE_STROKE, pdfium_c.FPDF_TEXTRENDERMODE_STROKE_CLIP)
_WHITE = 240
_OPAQUE = 16

# Names of fonts; CMBX, SFBX and others are the bold ones of TeX, CMTI and SFTI its italic ones.
_BOLD_NAME = re.compile(r"bold|black|heavy|demi|(^|\+)(cm|sf|ec|la)(bx|ssbx|b)\d", re.IGNORECASE)
_ITALIC_NAME = re.compile(r"italic|oblique|(^|\+)(cm|sf|ec|la)(ti|sl|bxti)\d", re.IGNORECASE)
_FORCE_BOLD, _ITALIC = 1 << 18, 1 << 6

_Pointer = Any


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a text object.

    source, font: addresses of the object and its font in PDFium; 0 without a font. size: of the font, in
    points of the page. angle: in degrees, counterclockwise. is_visible: drawn with ink at all. is_white:
    drawn with white or nearly so. is_stated: the file states the text, which can differ from what is drawn.
    """

    source: int
    size: float
    angle: int
    bold: bool
    italic: bool
    is_visible: bool
    is_white: bool
    is_stated: bool = False
    font: int = 0


class Piece(NamedTuple):
    """A word, or a part of a word with one style.

    word: number of the word on the page. start, end: of its base line, in points of the page.
    unknown: characters without a known meaning.
    """

    text: str
    word: int
    start: tuple[float, float]
    end: tuple[float, float]
    style: Style
    unknown: int = 0


class PageCharacters:
    """The characters of one open page; the page must stay open."""

    def __init__(self, text_page: pdfium.PdfTextPage) -> None:
        self.raw = text_page.raw
        self._styles: dict[int, Style] = {}
        self._fonts: dict[int, tuple[bool, bool]] = {}
        self._count = pdfium_c.FPDFText_CountChars(self.raw)
        # The numbers that PDFium writes; one set for all calls, because making them costs more than the call.
        self._rect = pdfium_c.FS_RECTF()
        self._rect_reference = ctypes.byref(self._rect)
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._point_references = ctypes.byref(self._x), ctypes.byref(self._y)

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces in the order of the file."""
        text = self.text
        for number, (start, end) in enumerate(self._words(text)):
            yield from self._pieces_of(text[start:end], number, start)

    @cached_property
    def text(self) -> str:
        """The text, with one character for each that PDFium counts."""
        buffer = (ctypes.c_ushort * (self._count + 1))()
        length = pdfium_c.FPDFText_GetText(self.raw, 0, self._count, buffer) - 1
        # For PDFium, a character outside of the basic plane is two, its halves.
        text = "".join(map(chr, buffer[: max(length, 0)]))
        if len(text) == self._count:
            return text
        # Some characters are left out of the text.
        return "".join(self._character(index) for index in range(self._count))

    def _character(self, index: int) -> str:
        code = pdfium_c.FPDFText_GetUnicode(self.raw, index)
        return chr(code) if 0 < code <= 0x10FFFF else _UNKNOWN

    def _words(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each word."""
        for found in _WORD.finditer(text):
            start, end = found.span()
            cuts = [start, *self._blanks(text, start, end), end]
            yield from pairwise(cuts)

    def _blanks(self, text: str, start: int, end: int) -> list[int]:
        """Return the characters of a word before which a blank is missing."""
        first, last = self.style(start), self.style(end - 1)
        # Characters of a stated text have no places of their own.
        if end - start == 1 or not first or not last or first.angle % 90 or first.is_stated or last.is_stated:
            return []
        angle = first.angle
        edges = self._edges(range(start, end), angle)
        size = max(first.size, last.size)
        found = blanks_of(text[start:end], edges, size, lambda: self._beside(text, start, end, angle))
        return [start + place for place in found]

    def _beside(self, text: str, start: int, end: int, angle: int) -> list[float]:
        """Return the widths of the blanks before and after a word, in its line."""
        before, after = start - 1, end
        while before >= 0 and text[before] == " ":
            before -= 1
        while after < len(text) and text[after] == " ":
            after += 1
        pairs = ((before, start), (end - 1, after))
        return [
            gaps_of(self._edges(pair, angle))[0]
            for pair in pairs
            if all(0 <= index < len(text) and not text[index].isspace() for index in pair)
        ]

    def _edges(self, indices: Iterable[int], angle: int) -> list[tuple[float, float]]:
        """Return the near and the far edge of characters along the text; angle: a multiple of 90 degrees."""
        rect, edges = self._rect, []
        for index in indices:
            pdfium_c.FPDFText_GetLooseCharBox(self.raw, index, self._rect_reference)
            if angle == 0:
                edges.append((rect.left, rect.right))
            elif angle == 180:
                edges.append((-rect.right, -rect.left))
            else:
                edges.append((rect.bottom, rect.top) if angle == 90 else (-rect.top, -rect.bottom))
        return edges

    def _pieces_of(self, text: str, word: int, first: int) -> Iterator[Piece]:
        style, last = self.style(first), first + len(text) - 1
        if style is not None and (last == first or self.style(last) is style):
            yield self._piece(text, word, first, style)
            return
        for start, end, part in self._parts(first, last):
            yield self._piece(text[start - first : end - first], word, start, part)

    def _parts(self, first: int, last: int) -> Iterator[tuple[int, int, Style]]:
        """Yield the parts of a word that differ in style: from, to (exclusive) and style."""
        start, current = first, self.style(first)
        for index in range(first + 1, last + 2):
            style = self.style(index) if index <= last else None
            if index <= last and style is current:
                continue
            if current is not None:
                yield start, index, current
            start, current = index, style

    def _piece(self, text: str, word: int, first: int, style: Style) -> Piece:
        last = first + len(text) - 1
        start = self.origin(first)
        end = self._end(last, start, style)
        text = _with_whole_characters(text)
        return Piece(text, word, start, end, style, self._unknown(text, first))

    def _unknown(self, text: str, first: int) -> int:
        # One look at the first character of a piece: a font has a mapping, or it has none.
        if pdfium_c.FPDFText_HasUnicodeMapError(self.raw, first):
            return len(text)
        return text.count(_UNKNOWN)

    def origin(self, index: int) -> tuple[float, float]:
        """Return the point of the base line at which a character begins."""
        pdfium_c.FPDFText_GetCharOrigin(self.raw, index, *self._point_references)
        return self._x.value, self._y.value

    def _end(self, last: int, start: tuple[float, float], style: Style) -> tuple[float, float]:
        """Return the end of the base line."""
        if style.angle == 0:
            pdfium_c.FPDFText_GetLooseCharBox(self.raw, last, self._rect_reference)
            return self._rect.right, start[1]
        # The loose box of PDFium is wrong for rotated text.
        edges = [ctypes.c_double() for _ in range(4)]
        pdfium_c.FPDFText_GetCharBox(self.raw, last, *edges)
        left, right, bottom, top = (edge.value for edge in edges)
        cosine, sine = math.cos(math.radians(style.angle)), math.sin(math.radians(style.angle))
        x, y = start
        length = max((px - x) * cosine + (py - y) * sine for px in (left, right) for py in (bottom, top))
        return x + length * cosine, y + length * sine

    def style(self, index: int) -> Style | None:
        """Return the style of a character; None if PDFium made the character up."""
        found = pdfium_c.FPDFText_GetTextObject(self.raw, index)
        if not found:
            return None
        address = _address(found)
        if address not in self._styles:
            self._styles[address] = self._read_style(found, address, index)
        return self._styles[address]

    def _read_style(self, text: _Pointer, address: int, index: int) -> Style:
        raw = pdfium_c.FS_MATRIX()
        pdfium_c.FPDFText_GetMatrix(self.raw, index, raw)
        matrix = Matrix.of(raw)
        mode = pdfium_c.FPDFTextObj_GetTextRenderMode(text)
        red, green, blue, alpha = _colour(text, mode in _ONLY_STROKED)
        font = pdfium_c.FPDFTextObj_GetFont(text)
        bold, italic = self._weight(font)
        return Style(
            source=address,
            size=pdfium_c.FPDFText_GetFontSize(self.raw, index) * math.hypot(matrix.c, matrix.d),
            angle=matrix.angle,
            bold=bold or mode in _STROKED,
            italic=italic,
            is_visible=mode not in _INVISIBLE and alpha >= _OPAQUE,
            is_white=min(red, green, blue) >= _WHITE,
            is_stated=has_stated_text(text),
            font=_address(font) if font else 0,
        )

    def _weight(self, font: _Pointer) -> tuple[bool, bool]:
        if not font:
            return False, False
        address = _address(font)
        if address not in self._fonts:
            name = ctypes.create_string_buffer(256)
            pdfium_c.FPDFFont_GetBaseFontName(font, name, len(name))
            named, flags = name.value.decode("utf-8", "replace"), pdfium_c.FPDFFont_GetFlags(font)
            bold = bool(_BOLD_NAME.search(named)) or bool(flags > 0 and flags & _FORCE_BOLD)
            italic = bool(_ITALIC_NAME.search(named)) or bool(flags > 0 and flags & _ITALIC)
            self._fonts[address] = bold, italic
        return self._fonts[address]


def _with_whole_characters(text: str) -> str:
    """Join the halves of characters outside of the basic plane."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _colour(text: _Pointer, is_stroke: bool) -> tuple[int, int, int, int]:
    values = [ctypes.c_uint(0) for _ in range(4)]
    get = pdfium_c.FPDFPageObj_GetStrokeColor if is_stroke else pdfium_c.FPDFPageObj_GetFillColor
    if not get(text, *values):
        return 0, 0, 0, 255
    red, green, blue, alpha = (value.value for value in values)
    return red, green, blue, alpha


def _address(pointer: _Pointer) -> int:
    return ctypes.addressof(pointer.contents)
