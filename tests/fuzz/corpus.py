"""Small valid files of every accepted format, in its many variants."""

import io
from collections.abc import Iterator

from PIL import Image, ImageDraw
from reportlab.lib.colors import HexColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.pdf_fonts import (
    INVOICE,
    by_cmap,
    by_differences,
    by_glyph_numbers,
    by_to_unicode,
    pdf_of_lines,
    pdf_with_field,
)
from tests.samples import (
    encoded,
    pdf_of_images,
    pdf_of_packed_objects,
    pdf_of_text,
    pdf_with_broken_page,
    pdf_with_filled_form,
    pdf_with_huge_picture,
    pdf_with_picture,
    pdf_with_stamp,
)

_SIZE = (48, 33)

# A page of 48 x 33 pixels (segment 48) with a generic region (segment 38), arithmetically coded.
_JBIG2 = bytes.fromhex(
    "00000000" "30" "00" "01" "00000013" "00000030" "00000021" "00000000" "00000000" "00" "0000"
    "00000001" "26" "00" "01" "00000022" "00000030" "00000021" "00000000" "00000000" "00"
    "00" "03fffdff02fefefe" "a5c3" * 3 + "ffac"
)  # fmt: skip


def corpus() -> dict[str, list[bytes]]:
    """Return files by format."""
    return {
        "PNG": list(_png()),
        "JPEG": list(_jpeg()),
        "MPO": [_saved("MPO", _picture(), save_all=True, append_images=[_picture("L")])],
        "TIFF": list(_tiff()),
        "WEBP": list(_webp()),
        "BMP": [encoded(_picture(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")],
        "DIB": [encoded(_picture(mode), "DIB") for mode in ("1", "P", "RGB")],
        "GIF": list(_gif()),
        "HEIC": list(_heic()),
        "AVIF": list(_avif()),
        "JPEG2000": list(_jpeg2000()),
        "PDF": list(_pdf()),
    }


def _picture(mode: str = "RGB", size: tuple[int, int] = _SIZE) -> Image.Image:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    ImageDraw.Draw(image).ellipse((2, 2, size[0] - 3, size[1] - 3), "red", "blue")
    return image.convert(mode)


def _saved(format_name: str, image: Image.Image, **options: object) -> bytes:
    # Copied, because saving changes the settings inside an image.
    return encoded(image.copy(), format_name, **options)


def _exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a scan"
    return exif


def _png() -> Iterator[bytes]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield encoded(_picture("I").convert(mode) if mode == "I;16" else _picture(mode), "PNG")
    yield _saved("PNG", _picture("P"), transparency=3, dpi=(204, 98), exif=_exif())
    yield _saved("PNG", _picture(), save_all=True, append_images=[_picture("RGB", (9, 7))], duration=20)


def _jpeg() -> Iterator[bytes]:
    for mode in ("L", "RGB", "CMYK"):
        yield encoded(_picture(mode), "JPEG")
    yield _saved("JPEG", _picture(), progressive=True, exif=_exif(), dpi=(300, 300))
    yield _saved("JPEG", _picture(), subsampling="4:1:1", restart_marker_blocks=2, comment=b"scan")


def _tiff() -> Iterator[bytes]:
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma"):
        yield _saved("TIFF", _picture(), compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield _saved("TIFF", _picture("1"), compression=compression)
    for mode in ("1", "L", "P", "RGBA", "CMYK", "LAB", "I", "F", "I;16"):
        image = _picture("I" if mode == "I;16" else "RGB")
        yield encoded(_lab(image) if mode == "LAB" else image.convert(mode), "TIFF")
    yield _saved("TIFF", _picture("L"), save_all=True, append_images=[_picture("1"), _picture("L", (9, 7))])
    yield _saved("TIFF", _picture(), big_tiff=True, tiffinfo={274: 6, 33432: "nobody"}, dpi=(204, 98))


def _lab(image: Image.Image) -> Image.Image:
    return Image.merge("LAB", image.split())


def _webp() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA"):
        yield _saved("WEBP", _picture(mode), lossless=True)
        yield _saved("WEBP", _picture(mode), quality=40, exif=_exif())
    yield _saved("WEBP", _picture(), save_all=True, append_images=[Image.new("RGB", _SIZE)], duration=20)


def _gif() -> Iterator[bytes]:
    for mode in ("1", "L", "P"):
        yield encoded(_picture(mode), "GIF")
    yield _saved("GIF", _picture(), save_all=True, append_images=[_picture("L")], transparency=2, loop=3)


def _heic() -> Iterator[bytes]:
    for mode in ("L", "RGB", "RGBA"):
        yield _saved("HEIF", _picture(mode, (64, 64)), quality=20)
    yield _saved("HEIF", _picture("RGB", (64, 64)), save_all=True, append_images=[_picture()], exif=_exif())


def _avif() -> Iterator[bytes]:
    for mode in ("L", "RGB", "RGBA"):
        yield _saved("AVIF", _picture(mode), quality=40, speed=10)
    yield _saved("AVIF", _picture(), exif=_exif(), speed=10)
    yield _saved("AVIF", _picture(), save_all=True, append_images=[Image.new("RGB", _SIZE)], speed=10)


def _jpeg2000() -> Iterator[bytes]:
    for mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        picture = _picture("I").convert(mode) if mode == "I;16" else _picture(mode)
        yield _saved("JPEG2000", picture, quality_layers=[8, 2])
    yield _saved("JPEG2000", _picture(), tile_size=(32, 32), no_jp2=True, irreversible=True)
    yield _saved("JPEG2000", _picture("L"), progression="RPCL", num_resolutions=3, no_jp2=True)


def _pdf() -> Iterator[bytes]:
    yield pdf_of_text(["one", "two"], size=(200, 150))
    yield pdf_of_text(["secret"], password="word")
    for coding in (by_differences, by_to_unicode, by_cmap, by_glyph_numbers):
        yield pdf_of_lines(["Arial,Bold", "Unknown"], INVOICE, coding)
    yield pdf_with_field("", INVOICE, drawn=False)
    yield pdf_of_images([_picture("RGB"), _picture("1"), _picture("CMYK")])
    yield pdf_with_broken_page(2, 3)
    yield pdf_with_huge_picture(64, depth=3)
    yield pdf_with_stamp(64)
    yield pdf_with_filled_form()
    yield pdf_of_packed_objects()
    size = "/Width 48 /Height 33"
    yield pdf_with_picture(f"{size} /Filter /JPXDecode", _saved("JPEG2000", _picture()))
    fax = f"{size} /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter"
    yield pdf_with_picture(f"{fax} /CCITTFaxDecode /DecodeParms << /K -1 /Columns 48 >>", bytes(range(256)))
    yield pdf_with_picture(f"{fax} /JBIG2Decode", _JBIG2)
    yield _drawing(compress=False)
    yield _drawing(compress=True)


def _drawing(compress: bool) -> bytes:
    """Draw a page with every kind of content stream operator: curves, colours, clips, shadings, pictures."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(120, 80), pageCompression=int(compress), invariant=1)
    canvas.bookmarkPage("top")
    canvas.addOutlineEntry("Top", "top")
    canvas.beginForm("inner")
    canvas.circle(10, 10, 8, fill=1)
    canvas.endForm()
    canvas.beginForm("outer")
    canvas.doForm("inner")
    canvas.endForm()
    canvas.doForm("outer")
    canvas.linkRect("", "top", (1, 1, 20, 20))
    canvas.setFillColor(HexColor("#80204060", hasAlpha=True))
    canvas.bezier(1, 1, 40, 90, 90, 10, 119, 79)
    canvas.saveState()
    path = canvas.beginPath()
    path.circle(60, 40, 30)
    canvas.clipPath(path)
    canvas.linearGradient(0, 0, 120, 80, (HexColor("#ff0000"), HexColor("#0000ff")))
    canvas.radialGradient(60, 40, 30, (HexColor("#00ff00"), HexColor("#ffffff")), (0, 1))
    canvas.restoreState()
    canvas.drawImage(ImageReader(_picture("RGBA")), 60, 20, 48, 33, mask="auto")
    canvas.setDash(3, 1)
    canvas.setFont("Times-Roman", 9)
    canvas.drawString(5, 65, "Clause 17")
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()
