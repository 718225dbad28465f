"""Generated PDFs whose fonts are not embedded, as office software writes them; one-byte codes are CP1251."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.samples import pdf_of_objects, pdf_stream

STANDARD = (
    "Helvetica",
    "Helvetica-Bold",
    "Helvetica-Oblique",
    "Helvetica-BoldOblique",
    "Times-Roman",
    "Times-Bold",
    "Times-Italic",
    "Times-BoldItalic",
    "Courier",
    "Courier-Bold",
    "Courier-Oblique",
    "Courier-BoldOblique",
)
SIGNS = ("Symbol", "ZapfDingbats")
# Names that Word, 1C and LibreOffice write.
OFFICE = (
    "ArialMT",
    "Arial,Bold",
    "TimesNewRomanPSMT",
    "TimesNewRomanPS-BoldMT",
    "CourierNewPSMT",
    "CourierNew,Bold",
    "Calibri",
    "Calibri-Bold",
    "Verdana",
    "Verdana,Bold",
    "Tahoma",
    "Tahoma-Bold",
    "Georgia",
    "Georgia-Bold",
)

INVOICE = "Накладная 4471 от Ёлкина"

_LINE_HEIGHT, _MARGIN = 28, 20
_DESCRIPTOR = (
    "<< /Type /FontDescriptor /FontName /{name} /Flags {flags} /ItalicAngle 0 /Ascent 905 /Descent -212 "
    "/CapHeight 716 /StemV 80 /FontBBox [-665 -325 2000 1040] >>"
)
_WIDTHS = "/FirstChar 0 /LastChar 255 /Widths [" + "600 " * 256 + "]"
_NONSYMBOLIC, _SYMBOLIC = 32, 4
_OTHER_NAMES = {"Ё": "afii10023", "ё": "afii10071", "№": "afii61352"}


@dataclass(frozen=True)
class Written:
    """A text in a font: its codes, the font dictionary and the stream for /ToUnicode."""

    codes: bytes
    font: str
    to_unicode: bytes | None = None


Coding = Callable[[str, str], Written]


def by_differences(name: str, text: str) -> Written:
    """Names of letters for the codes, in a TrueType font."""
    return Written(text.encode("cp1251"), _simple("TrueType", name, _differences(text, _afii)))


def by_unicode_names(name: str, text: str) -> Written:
    """Names such as uni0410, in a Type 1 font."""
    names = _differences(text, lambda letter: f"uni{ord(letter):04X}")
    return Written(text.encode("cp1251"), _simple("Type1", name, names))


def by_differences_of_symbols(name: str, text: str) -> Written:
    """Names of letters in a font with the flag "symbolic"."""
    font = _simple("TrueType", name, _differences(text, _afii), flags=_SYMBOLIC)
    return Written(text.encode("cp1251"), font)


def by_to_unicode(name: str, text: str, kind: str = "CIDFontType2") -> Written:
    """Numbers of glyphs with a ToUnicode map: a CID font as Word and LibreOffice write it."""
    numbers = _glyph_numbers(text)
    font = _composite(kind, name, "Identity-H", "Identity", "/ToUnicode MAP 0 R")
    return Written(_two_bytes(numbers, text), font, _map(numbers, 2))


def by_to_unicode_of_type_0(name: str, text: str) -> Written:
    """As `by_to_unicode`, for a font with PostScript outlines."""
    return by_to_unicode(name, text, "CIDFontType0")


def by_to_unicode_of_bytes(name: str, text: str) -> Written:
    """Codes from 1 in the order of the letters, in a TrueType font with a ToUnicode map alone."""
    numbers = {letter: number for number, letter in enumerate(sorted(set(text)), start=1)}
    font = _simple("TrueType", name, "/ToUnicode MAP 0 R")
    return Written(bytes(numbers[letter] for letter in text), font, _map(numbers, 1))


def by_cmap(name: str, text: str) -> Written:
    """Unicode as codes, by a map that every reader has."""
    return Written(text.encode("utf-16-be"), _composite("CIDFontType2", name, "UniGB-UCS2-H", "GB1"))


def by_win_ansi(name: str, text: str) -> Written:
    """Latin letters."""
    return Written(text.encode("cp1252"), _simple("TrueType", name, "/Encoding /WinAnsiEncoding"))


def by_win_ansi_of_type_1(name: str, text: str) -> Written:
    """Latin letters in a Type 1 font."""
    return Written(text.encode("cp1252"), _simple("Type1", name, "/Encoding /WinAnsiEncoding"))


def by_win_ansi_and_to_unicode(name: str, text: str) -> Written:
    """Codes that mean Latin letters for drawing, and Cyrillic letters for copying."""
    codes = text.encode("cp1251")
    font = _simple("TrueType", name, "/Encoding /WinAnsiEncoding /ToUnicode MAP 0 R")
    return Written(codes, font, _map(dict(zip(text, codes, strict=True)), 1))


def by_glyph_numbers(name: str, text: str) -> Written:
    """Numbers of glyphs of a font that is not there, as in Arial for ASCII, without a map."""
    font = _composite("CIDFontType2", name, "Identity-H", "Identity")
    return Written(_two_bytes({letter: ord(letter) - 29 for letter in text}, text), font)


def pdf_of_lines(
    fonts: Sequence[str], text: str, coding: Coding, size: int = 16, invisible: bool = False
) -> bytes:
    """Make a PDF of one page with the text in each of the fonts, a line each."""
    lines, entries = ["3 Tr" if invisible else "0 Tr"], []
    maps: list[bytes] = []
    height = _LINE_HEIGHT * len(fonts) + _MARGIN
    for number, written in enumerate(coding(name, text) for name in fonts):
        entries.append(f"/F{number} " + written.font.replace("MAP", str(5 + len(maps))))
        maps += [] if written.to_unicode is None else [written.to_unicode]
        position = f"{_MARGIN} {height - _LINE_HEIGHT * (number + 1)}"
        lines.append(f"BT /F{number} {size} Tf {position} Td <{written.codes.hex()}> Tj ET")
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 {height}] /Contents 4 0 R "
            f"/Resources << /Font << {' '.join(entries)} >> >> >>".encode(),
            pdf_stream("", "\n".join(lines).encode()),
            *maps,
        ]
    )


def pdf_of_pages(name: str, texts: Sequence[str]) -> bytes:
    """Make a PDF with a page for each text, all in the same font with names of letters."""
    font = by_differences(name, "".join(texts)).font
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(texts)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>".encode(),
        font.encode(),
    ]
    for text in texts:
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 48] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F 3 0 R >> >> >>".encode(),
            pdf_stream("", f"BT /F 16 Tf 20 20 Td <{text.encode('cp1251').hex()}> Tj ET".encode()),
        ]
    return pdf_of_objects(objects)


def pdf_with_field(catalog: str, value: str, *, drawn: bool) -> bytes:
    """Make a PDF of one page with a filled text field in Helvetica.

    catalog: entries of the catalog, /AcroForm if any. drawn: the field has an appearance; its object is 5.
    """
    written = by_differences("Helvetica", value)
    appearance = pdf_stream(
        f"/Type /XObject /Subtype /Form /BBox [0 0 320 30] /Resources << /Font << /F {written.font} >> >>",
        f"/Tx BMC q BT 0 g /F 16 Tf 2 8 Td <{written.codes.hex()}> Tj ET Q EMC".encode(),
    )
    return pdf_of_objects(
        [
            f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 60] /Annots [5 0 R] /Contents 4 0 R >>",
            pdf_stream("", b""),
            b"<< /Type /Annot /Subtype /Widget /F 4 /FT /Tx /T (name) /Rect [20 15 340 45] /P 3 0 R "
            + f"/DA (/Helv 16 Tf 0 g) /V <FEFF{value.encode('utf-16-be').hex()}> ".encode()
            + (b"/AP << /N 6 0 R >> >>" if drawn else b">>"),
            appearance,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        ]
    )


def pdf_with_stamp_of_text(text: str) -> bytes:
    """Make a PDF of one page with a stamp in Arial."""
    written = by_differences("ArialMT", text)
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 60] /Annots [4 0 R] >>",
            b"<< /Type /Annot /Subtype /Stamp /Rect [20 15 340 45] /F 4 /AP << /N 5 0 R >> >>",
            pdf_stream(
                f"/Type /XObject /Subtype /Form /BBox [0 0 320 30] "
                f"/Resources << /Font << /F {written.font} >> >>",
                f"BT /F 16 Tf 2 8 Td <{written.codes.hex()}> Tj ET".encode(),
            ),
        ]
    )


def _simple(kind: str, name: str, entries: str, flags: int = _NONSYMBOLIC) -> str:
    descriptor = _DESCRIPTOR.format(name=name, flags=flags)
    return (
        f"<< /Type /Font /Subtype /{kind} /BaseFont /{name} {entries} {_WIDTHS} "
        f"/FontDescriptor {descriptor} >>"
    )


def _composite(kind: str, name: str, cmap: str, ordering: str, entries: str = "") -> str:
    return (
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /{cmap} {entries} "
        f"/DescendantFonts [<< /Type /Font /Subtype /{kind} /BaseFont /{name} /DW 600 "
        f"/CIDSystemInfo << /Registry (Adobe) /Ordering ({ordering}) /Supplement 0 >> "
        f"/FontDescriptor {_DESCRIPTOR.format(name=name, flags=_NONSYMBOLIC)} >>] >>"
    )


def _glyph_numbers(text: str) -> dict[str, int]:
    return {letter: number for number, letter in enumerate(sorted(set(text)), start=3)}


def _two_bytes(codes: Mapping[str, int], text: str) -> bytes:
    return b"".join(codes[letter].to_bytes(2, "big") for letter in text)


def _differences(text: str, name_of: Callable[[str], str]) -> str:
    codes = sorted(set(zip(text.encode("cp1251"), text, strict=True)))
    names = " ".join(f"{code} /{name_of(letter)}" for code, letter in codes if code > 127)
    return f"/Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [{names}] >>"


def _afii(letter: str) -> str:
    """Return the name of a Cyrillic letter in the Adobe Glyph List, where Ё is the seventh letter."""
    if letter in _OTHER_NAMES:
        return _OTHER_NAMES[letter]
    number = ord(letter) - ord("А")
    start, place = (10017, number) if number < 32 else (10065, number - 32)
    return f"afii{start + place + (place > 5)}"


def _map(codes: Mapping[str, int], size: int) -> bytes:
    rows = "\n".join(f"<{code:0{2 * size}x}> <{ord(letter):04x}>" for letter, code in codes.items())
    return pdf_stream(
        "",
        (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Map def\n"
            "/CMapType 2 def\n"
            f"1 begincodespacerange <{'00' * size}> <{'ff' * size}> endcodespacerange\n"
            f"{len(codes)} beginbfchar\n{rows}\nendbfchar endcmap end end"
        ).encode(),
    )
