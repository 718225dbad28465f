"""Pictures as the pages of a PDF: at their resolution, and without a loss that they did not have before."""

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pikepdf
from pikepdf import Dictionary, Name
from PIL import ExifTags, Image

from ocr_service.core.errors import DocumentError
from ocr_service.decoding.images import ImageFile
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.requests import Contents
from ocr_service.exports.pdf.page_text import PageText

_POINTS_PER_INCH = 72
# A4. A picture without a resolution becomes a page of this height, or width.
_SHORT_SIDE, _LONG_SIDE = 595.0, 842.0
# Orientations of EXIF without a mirror image → degrees clockwise.
_TURNS = {1: 0, 3: 180, 6: 90, 8: 270}
_COLOR_SPACES = {"1": Name.DeviceGray, "L": Name.DeviceGray, "RGB": Name.DeviceRGB}
# These are compressed with a loss already, and would be much larger without one.
_LOSSY = frozenset(("HEIF", "AVIF", "WEBP", "JPEG2000", "JPEG"))
_QUALITY = 95


def pdf_of_pictures(data: bytes, format_name: str, limits: Limits, pages: Sequence[PageText]) -> pikepdf.Pdf:
    """Return a PDF with these pages of an image file; raises DocumentError.

    A page that was not read, and cannot be decoded, is blank.
    """
    file = ImageFile(data, format_name, "RGB", limits, Contents())
    pdf = pikepdf.new()
    for page in pages:
        try:
            image, resolution = file.decoded(page.index)
        except DocumentError:
            if page.was_read:
                raise
            pdf.add_blank_page(page_size=(_SHORT_SIDE, _LONG_SIDE))
            continue
        turn = _turn_of_jpeg(data) if format_name == "JPEG" else None
        if turn is None:
            stream, turn = _compressed(pdf, image, is_lossy=format_name in _LOSSY), 0
        else:
            stream = _jpeg(pdf, data)
        _add_page(pdf, stream, image.size, resolution, turn)
    return pdf


def _add_page(
    pdf: pikepdf.Pdf, stream: pikepdf.Stream, size: tuple[int, int], resolution: int | None, turn: int
) -> None:
    """Add a page. size: of the upright picture. turn: degrees clockwise from the stream to it."""
    scale = _POINTS_PER_INCH / resolution if resolution else _LONG_SIDE / max(size)
    width, height = (side * scale for side in (size if turn in (0, 180) else size[::-1]))
    page = pdf.add_blank_page(page_size=(width, height))
    page.obj.Resources = Dictionary(XObject=Dictionary(Im=pdf.make_indirect(stream)))
    page.obj.Contents = pdf.make_stream(f"q {width:.4f} 0 0 {height:.4f} 0 0 cm /Im Do Q".encode())
    if turn:
        page.obj.Rotate = turn


def _turn_of_jpeg(data: bytes) -> int | None:
    """Return by how many degrees a JPEG file is turned; None if its data cannot be in a PDF as they are."""
    with suppress(Exception):
        # Pillow raises almost any exception for damaged metadata.
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        if image.mode in _COLOR_SPACES:
            return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def _jpeg(pdf: pikepdf.Pdf, data: bytes) -> pikepdf.Stream:
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    return _picture(pdf, data, image, Filter=Name.DCTDecode)


def _compressed(pdf: pikepdf.Pdf, image: Image.Image, is_lossy: bool) -> pikepdf.Stream:
    plain = _smallest(image)
    file = io.BytesIO()
    if is_lossy and plain.mode != "1":
        plain.save(file, "JPEG", quality=_QUALITY)
        return _picture(pdf, file.getvalue(), plain, Filter=Name.DCTDecode)
    plain.save(file, "PNG")
    columns = Dictionary(
        Predictor=15,
        Columns=plain.width,
        Colors=len(plain.getbands()),
        BitsPerComponent=_bits(plain),
    )
    # A PNG holds its pixels as a PDF can.
    data = b"".join(_png_data(file.getvalue()))
    return _picture(pdf, data, plain, Filter=Name.FlateDecode, DecodeParms=columns)


def _smallest(image: Image.Image) -> Image.Image:
    """Return an image in RGB as black and white, or as grey, if its pixels are."""
    red, *others = image.split()
    if any(band.tobytes() != red.tobytes() for band in others):
        return image
    used = {value for value, count in enumerate(red.histogram()) if count}
    return red.convert("1", dither=Image.Dither.NONE) if used <= {0, 255} else red


def _picture(pdf: pikepdf.Pdf, data: bytes, image: Image.Image, **filters: pikepdf.Object) -> pikepdf.Stream:
    return pdf.make_stream(
        data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=_COLOR_SPACES[image.mode],
        BitsPerComponent=_bits(image),
        **filters,
    )


def _bits(image: Image.Image) -> int:
    return 1 if image.mode == "1" else 8


def _png_data(png: bytes) -> Iterator[bytes]:
    """Yield the compressed pixels of a PNG file."""
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length
