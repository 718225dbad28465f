"""Text on a page that is found and copied, but not drawn."""

import itertools
import math

import pikepdf
from pikepdf import Dictionary, Name

from ocr_service.exports.pdf.font import ADVANCE, DESCENT
from ocr_service.exports.pdf.page_text import PageText, PlacedText
from ocr_service.exports.pdf.places import Pixels, Point, Sheet

INVISIBLE = 3
"""Rendering mode of such text (ISO 32000-1, 9.3.6)."""


def add_text(page: pikepdf.Page, text: PageText, font: pikepdf.Object) -> None:
    """Place the text of a page; its other contents stay as they are."""
    pixels = Pixels(Sheet.of(page), text.width, text.height, text.rotation)
    name = _free_name(page, font)
    pieces = b"\n".join(filter(None, (_instructions(piece, pixels, name) for piece in text.pieces)))
    # Before the other contents, which can leave the coordinates changed.
    page.contents_add(b"q BT %d Tr\n%b\nET Q" % (INVISIBLE, pieces), prepend=True)
    page.add_resource(font, Name.Font, name)


def _free_name(page: pikepdf.Page, font: pikepdf.Object) -> Name:
    """Return a name for the font that no other font of the page has; pages can share their fonts."""
    fonts = page.obj.get("/Resources", Dictionary()).get("/Font", Dictionary())
    names = (Name(f"/OcrText{number}") for number in itertools.count(1))
    return next(name for name in names if name not in fonts or fonts[name].objgen == font.objgen)


def _instructions(piece: PlacedText, pixels: Pixels, font: Name) -> bytes:
    """Return the instructions that place a text in its box; empty if the box has no area."""
    left, top, right, bottom = piece.bbox
    start = pixels.at(left, bottom)
    along, upwards = _between(start, pixels.at(right, bottom)), _between(start, pixels.at(left, top))
    width, size = math.hypot(*along), math.hypot(*upwards)
    codes = piece.text.encode("utf-16-be", "replace")
    if not (codes and width and size):
        return b""
    stretch = 100 * width / (ADVANCE * size * (len(codes) // 2))
    origin = start[0] + DESCENT * upwards[0], start[1] + DESCENT * upwards[1]
    matrix = (along[0] / width, along[1] / width, upwards[0] / size, upwards[1] / size, *origin)
    numbers = " ".join(f"{value:.4f}" for value in matrix)
    return f"{font} {size:.3f} Tf {stretch:.3f} Tz {numbers} Tm <{codes.hex()}> Tj".encode()


def _between(start: Point, end: Point) -> Point:
    return end[0] - start[0], end[1] - start[1]
