"""File types, identified by the first bytes and never by the file name."""

from ocr_service.core.errors import NotADocument, TypeNotSupported

PDF = "PDF"

# Other bytes may precede the header of a PDF, such as a mail header or a byte order mark, up to one kilobyte
# (PDF Reference 1.7, appendix H, implementation note 13).
_PDF_HEADER_REACH = 1024

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
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_KNOWN_BUT_NOT_SUPPORTED = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "PostScript"),
    (b"AT&TFORM", "DjVu"),
    (b"8BPS", "a Photoshop image"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
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
    # Two letters are not specific enough: the four bytes after the size are reserved and always zero.
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "BMP"
    if data[4:8] == b"ftyp":
        return _iso_media(data[8:12])
    _refuse_known(data)
    if b"%PDF-" in data[:_PDF_HEADER_REACH]:
        return PDF
    raise NotADocument("The first bytes of the file match no supported image format and no PDF.")


def _iso_media(brand: bytes) -> str:
    if brand in _HEIC_BRANDS:
        return "HEIF"
    raise TypeNotSupported(_advice("AVIF" if brand in (b"avif", b"avis") else "a video or audio file"))


def _refuse_known(data: bytes) -> None:
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, name in _KNOWN_BUT_NOT_SUPPORTED:
        if data.startswith(signature) or head.startswith(signature.lower()):
            raise TypeNotSupported(_advice(name))


def _advice(name: str) -> str:
    return f"The file is {name}; send PDF, PNG, JPEG, TIFF, WebP, BMP, GIF or HEIC."
