"""Write the font of searchable PDFs: `uv run scripts/glyphless_font.py ocr_service/exports/glyphless.ttf`.

Both of its glyphs are half an em wide. One has a contour without area: nothing is drawn, but PDFium sees a
box, and finds the text of turned pages too.
"""

# /// script
# dependencies = ["fonttools==4.68.0"]
# ///

import sys

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph

ASCENT, DESCENT, ADVANCE = 800, -200, 500


def main(path: str) -> None:
    """Write the font file."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, DESCENT))
    pen.lineTo((ADVANCE, ASCENT))
    pen.closePath()
    glyphs = {".notdef": Glyph(), "blank": pen.glyph()}
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap({})
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (ADVANCE, 0)))
    font.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    font.setupNameTable({"familyName": "Glyphless", "styleName": "Regular", "psName": "Glyphless"})
    font.setupOS2(sTypoAscender=ASCENT, sTypoDescender=DESCENT, usWinAscent=ASCENT, usWinDescent=-DESCENT)
    font.setupPost()
    # The same bytes in every run.
    font.font.recalcTimestamp = False
    font.font["head"].created = font.font["head"].modified = 0
    font.save(path)


if __name__ == "__main__":
    main(sys.argv[1])
