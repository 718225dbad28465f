"""File types, identified by the first bytes and never by the file name."""

import struct
from collections.abc import Iterable

from ocr_service.core.errors import NotADocument, TypeNotSupported

PDF = "PDF"

_PDF_HEADER = b"%PDF-"
# Other bytes may precede the header of a PDF, such as a mail header or a byte order mark, up to one kilobyte
# (PDF Reference 1.7, appendix H, implementation note 13).
_PDF_HEADER_REACH = 1024

_IMAGES = "PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, AVIF or JPEG 2000"

# Size of the header, width, height, planes, bits per pixel.
_BITMAP_HEADER = struct.Struct("<I8xHH")
_BITMAP_HEADER_SIZES = (40, 52, 56, 64, 108, 124)
_BITMAP_DEPTHS = (1, 2, 4, 8, 16, 24, 32)

# The list of compatible brands is short; its size could be any number.
_FTYP_REACH = 256

# Format names of Pillow, for `Image.open(formats=...)`.
_SUPPORTED = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
# Of both.
_HEIF_BRANDS = {b"mif1", b"msf1"}

_KNOWN_BUT_NOT_SUPPORTED = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "PostScript"),
    (b"AT&TFORM", "DjVu"),
    (b"8BPS", "a Photoshop image"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
)
# A PDF may follow: some programs write messages before it.
_TEXT_NOT_SUPPORTED = (
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "HTML"),
    (b"<html", "HTML"),
)


def identify(data: bytes) -> str:
    """Return PDF, or the image format by its name in Pillow; raises TypeNotSupported or NotADocument."""
    for signature, name in _SUPPORTED:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    # Two letters are not specific enough. Some programs use the four reserved bytes after the size.
    if data[:2] == b"BM" and (data[6:10] == bytes(4) or _is_bitmap_header(data[14:30])):
        return "BMP"
    if _is_bitmap_header(data[:16]):
        return "DIB"
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    _refuse(data, _KNOWN_BUT_NOT_SUPPORTED)
    if _PDF_HEADER in data[: _PDF_HEADER_REACH + len(_PDF_HEADER) - 1]:
        return PDF
    _refuse(data, _TEXT_NOT_SUPPORTED)
    raise NotADocument("The first bytes of the file match no supported image format and no PDF.")


def _is_bitmap_header(header: bytes) -> bool:
    """Return whether these 16 bytes are the first of the header that follows the file header of a BMP."""
    size, planes, bits = _BITMAP_HEADER.unpack(header) if len(header) == _BITMAP_HEADER.size else (0, 0, 0)
    return size in _BITMAP_HEADER_SIZES and planes == 1 and bits in _BITMAP_DEPTHS


def _iso_media(data: bytes) -> str:
    end = min(int.from_bytes(data[:4], "big"), _FTYP_REACH)
    brand, compatible = data[8:12], {data[at : at + 4] for at in range(16, end, 4)}
    if brand in _AVIF_BRANDS or (brand in _HEIF_BRANDS and compatible & _AVIF_BRANDS):
        return "AVIF"
    if brand in _HEIC_BRANDS | _HEIF_BRANDS:
        return "HEIF"
    raise TypeNotSupported(_advice("a video or audio file"))


def _refuse(data: bytes, kinds: Iterable[tuple[bytes, str]]) -> None:
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, name in kinds:
        if data.startswith(signature) or head.startswith(signature.lower()):
            raise TypeNotSupported(_advice(name))


def _advice(name: str) -> str:
    return f"The file is {name}; send PDF, {_IMAGES}."
