"""The font of text that is not drawn: each UTF-16 code is its own character (ISO 32000-1, 9.7)."""

from functools import cache
from importlib.resources import files

import pikepdf
from pikepdf import Array, Dictionary, Name

# In em. All characters are equal, and empty.
ADVANCE, DESCENT = 0.5, 0.2


def glyphless_font(pdf: pikepdf.Pdf) -> pikepdf.Object:
    """Add the font to a PDF."""
    program = pdf.make_stream(_program())
    program.Length1 = len(_program())
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name.Glyphless,
        Flags=4,
        FontBBox=Array([0, -200, 500, 800]),
        ItalicAngle=0,
        Ascent=800,
        Descent=-200,
        CapHeight=800,
        StemV=80,
        FontFile2=program,
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name.Glyphless,
        CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=round(1000 * ADVANCE),
        # Glyph 1 for every code.
        CIDToGIDMap=pdf.make_stream(b"\0\1" * 0x10000),
    )
    font = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=Name.Glyphless,
        Encoding=Name("/Identity-H"),
        DescendantFonts=Array([pdf.make_indirect(descendant)]),
        ToUnicode=pdf.make_stream(_to_unicode()),
    )
    return pdf.make_indirect(font)


@cache
def _program() -> bytes:
    """Return the font file, which `scripts/glyphless_font.py` makes."""
    return (files(__package__) / "glyphless.ttf").read_bytes()


@cache
def _to_unicode() -> bytes:
    """Return the map from codes to characters: a list has 100 ranges, and a range no two high bytes."""
    ranges = [f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>" for high in range(0x100)]
    parts = [ranges[at : at + 100] for at in range(0, len(ranges), 100)]
    listed = "\n".join("\n".join((f"{len(part)} beginbfrange", *part, "endbfrange")) for part in parts)
    return f"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
{listed}
endcmap
CMapName currentdict /CMap defineresource pop
end
end""".encode()
