"""Generated documents: pages of real text in real fonts, and files with known defects."""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw, ImageFont
from PIL.TiffImagePlugin import TiffImageFile
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

pillow_heif.register_heif_opener()

FONTS = "/usr/share/fonts/truetype/dejavu"
SERIF = f"{FONTS}/DejaVuSerif.ttf"
BOLD = f"{FONTS}/DejaVuSans-Bold.ttf"

A4_AT_300_DPI = (2480, 3508)

RUSSIAN = (
    "Настоящий договор заключён между обществом с ограниченной ответственностью «Ромашка», именуемым "
    "в дальнейшем Исполнитель, и гражданином Ивановым Петром Сергеевичем, именуемым Заказчик.",
    "Исполнитель обязуется оказать услуги в срок до 15 марта 2026 года, а Заказчик обязуется принять "
    "и оплатить их в течение десяти рабочих дней после подписания акта.",
    "Стоимость услуг составляет 125 400 рублей и включает все налоги, сборы и расходы Исполнителя, "
    "связанные с выполнением обязательств по настоящему договору.",
    "Каждая сторона вправе отказаться от исполнения договора, предупредив об этом другую сторону "
    "письменно не позднее чем за тридцать дней до предполагаемой даты.",
    "Все споры решаются путём переговоров, а если согласие не достигнуто, передаются на рассмотрение "
    "суда по месту нахождения ответчика.",
)
ENGLISH = (
    "The harbour was quiet when the first boats came in, and the smell of tar and salt water hung over "
    "the wooden quay where the porters waited for the morning's work.",
    "An agreement takes effect on the day on which both parties have signed it, unless the parties have "
    "agreed on a later date in writing.",
    "Measure the length of the beam twice, mark it with a sharp pencil, and leave three millimetres for "
    "the saw before you make the cut.",
    "The committee met on 14 October 2025 and approved a budget of 98,300 pounds for the repair of the "
    "library roof and its windows.",
    "Light travels through glass more slowly than through air, which is why a lens bends it and why the "
    "edge of a prism shows all the colours of the rainbow.",
)


@dataclass(frozen=True)
class Printed:
    """A page, and its text in reading order."""

    image: Image.Image
    text: str


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def printed_page(
    paragraphs: Sequence[str], columns: int = 1, title: str = "", size: tuple[int, int] = A4_AT_300_DPI
) -> Printed:
    """Render paragraphs at 300 dpi in one or more columns under a title."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    body, large = ImageFont.truetype(SERIF, 46), ImageFont.truetype(BOLD, 84)
    margin, gap, leading = 200, 120, 64
    top = margin
    if title:
        draw.text((margin, top), title, font=large, fill=0)
        top += 180
    width = (size[0] - 2 * margin - gap * (columns - 1)) // columns
    for column in range(columns):
        left, y = margin + column * (width + gap), top
        for paragraph in paragraphs:
            for line in wrap(paragraph, body, width):
                draw.text((left, y), line, font=body, fill=0)
                y += leading
            y += leading // 2
    text = " ".join([title, *list(paragraphs) * columns]).strip()
    return Printed(image, text)


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)


def noisy(image: Image.Image, seed: int = 7) -> Image.Image:
    """Add the grain and the dust specks of a worn scanner."""
    random = np.random.default_rng(seed)
    clean = np.asarray(image, dtype=np.float64)
    pixels = 235 - (255 - clean) * 0.8 + random.normal(0, 18, clean.shape)
    pixels[random.random(pixels.shape) < 0.001] = 60
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def small_png(color: str = "white", size: tuple[int, int] = (40, 30)) -> bytes:
    return encoded(Image.new("RGB", size, color), "PNG")


def bomb_png(side: int) -> bytes:
    """Make a black one-bit PNG of side x side pixels: 25 000 pixels a side fit into 77 kB."""
    pixels = _compressed_zeros(side * (1 + (side + 7) // 8))
    return _png_of_chunks(b"IHDR" + _PNG_HEADER.pack(side, side, 1, 0, 0, 0, 0), b"IDAT" + pixels)


def _compressed_zeros(count: int) -> bytes:
    """Compress `count` zeros: the compressed form of a part of them again and again, which is fast."""
    part = 2**20
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(bytes(count % part)) + packer.flush()
    # The header of zlib, and the checksum of zeros.
    return b"\x78\xda" + packed * (count // part) + last + struct.pack(">HH", count % 65521, 1)


def png(size: tuple[int, int], bits: int, color_type: int, row: bytes, transparent: bytes) -> bytes:
    """Make a PNG of equal rows with a transparent color, in kinds that Pillow does not write."""
    header = _PNG_HEADER.pack(*size, bits, color_type, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * size[1])
    return _png_of_chunks(b"IHDR" + header, b"tRNS" + transparent, b"IDAT" + pixels)


# Width, height, bits per sample, color type, and the methods of compression, filtering and interlacing.
_PNG_HEADER = struct.Struct(">IIBBBBB")


def _png_of_chunks(*chunks: bytes) -> bytes:
    framed = (
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (*chunks, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def tiff_of_empty_pages(count: int) -> bytes:
    """Make a TIFF of one-pixel pages without Pillow, which reads all previous pages again for each page."""
    pixel_at, first_at = 8, 10
    # Width, height, bits per sample, "0 is black", offset and length of the pixels.
    tags = {256: 1, 257: 1, 258: 1, 262: 1, 273: pixel_at, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    size = 2 + len(entries) + 4
    following = [first_at + size * number for number in range(1, count)] + [0]
    pages = (struct.pack("<H", len(tags)) + entries + struct.pack("<I", at) for at in following)
    return b"II*\0" + struct.pack("<IH", first_at, 0) + b"".join(pages)


def tiff_with_broken_page(broken: int, count: int) -> bytes:
    """Make a TIFF of `count` pages in which the pixels of page number `broken` cannot be decoded."""
    pages = [Image.linear_gradient("L").resize((100, 60))] * count
    options = {"save_all": True, "append_images": pages[1:], "compression": "tiff_adobe_deflate"}
    data = bytearray(encoded(pages[0], "TIFF", **options))
    with Image.open(io.BytesIO(data)) as image:
        image.seek(broken - 1)
        assert isinstance(image, TiffImageFile)
        at, length = image.tag_v2[273][0], image.tag_v2[279][0]
    data[at : at + length] = bytes(length)
    return bytes(data)


def pdf_of_images(images: Sequence[Image.Image], dpi: int = 300) -> bytes:
    return encoded(images[0], "PDF", save_all=True, append_images=list(images[1:]), resolution=dpi)


def pdf_of_text(
    lines: Sequence[str], size: tuple[float, float] = (595, 842), password: str | None = None
) -> bytes:
    """Make a PDF with a page for each line of text, set large; sizes in points."""
    buffer = io.BytesIO()
    encryption = StandardEncryption(password) if password else None
    canvas = Canvas(buffer, pagesize=size, encrypt=encryption, invariant=1)
    for line in lines:
        canvas.setFont("Helvetica", 24)
        canvas.drawString(72, size[1] - 100, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def pdf_with_broken_page(broken: int, count: int) -> bytes:
    """Make a PDF of `count` pages in which page number `broken` refers to a missing object."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{99 if n == broken else n + 2} 0 R" for n in range(1, count + 1))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode())
    objects += [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"] * count
    return pdf_of_objects(objects)


def pdf_with_huge_picture(side: int, depth: int = 0) -> bytes:
    """Make a PDF of a small page that draws a black image of side x side pixels in `depth` nested forms."""
    # Object 5 is the image, or the outermost form around it.
    forms = [_form(place=6 + number) for number in range(depth)]
    content = b"q 50 0 0 50 10 10 cm /Im0 Do Q" if not depth else b"/Im0 Do"
    return pdf_of_objects([*_page_that_draws(content), *forms, _picture(side)])


def pdf_with_picture(described: str, data: bytes) -> bytes:
    """Make a PDF of a small page that draws one image; described: size, color space and filter."""
    picture = pdf_stream(f"/Type /XObject /Subtype /Image {described}", data)
    return pdf_of_objects([*_page_that_draws(b"q 50 0 0 50 10 10 cm /Im0 Do Q"), picture])


def pdf_in_user_units(unit: float, size: tuple[float, float] = (100, 100), packed: bool = False) -> bytes:
    """Make a PDF of two pages with a black square, 1 to 2 units from the corner; only page 1 has a user unit.

    packed: with compressed object streams, as in PDF 1.5.
    """
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents 5 0 R"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
        f"{page} /UserUnit {unit} >>",
        f"{page} >>",
    )
    square = pdf_stream("", b"1 1 1 1 re f")
    if packed:
        return _packed_pdf(objects, square)
    return pdf_of_objects([*(text.encode() for text in objects), square])


def pdf_with_layers(text: str, states: str, in_form: bool = False) -> bytes:
    """Make a PDF of a page with a line of text, and the same text in a layer; page 2 has no layer.

    states: entries of the default configuration of the layers; object 8 is the layer.
    in_form: the layer is that of a form, and not of a part of the contents.
    """
    line = f"BT /F1 12 Tf 20 {{}} Td ({text}) Tj ET"
    shown, hidden = line.format(60), line.format(20)
    layered = "/Fm0 Do" if in_form else f"/OC /L BDC {hidden} EMC"
    fonts = "/Font << /F1 7 0 R >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 100] /Contents"
    form = f"/Type /XObject /Subtype /Form /BBox [0 0 400 100] /Resources << {fonts} >> /OC 8 0 R"
    properties = "/Properties << /L 8 0 R >> /XObject << /Fm0 9 0 R >>"
    return pdf_of_objects(
        [
            f"<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [8 0 R] /D << {states} >> >> >>".encode(),
            b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
            f"{page} 5 0 R /Resources << {fonts} {properties} >> >>".encode(),
            f"{page} 6 0 R /Resources << {fonts} >> >>".encode(),
            pdf_stream("", f"{shown} {layered}".encode()),
            pdf_stream("", shown.encode()),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /OCG /Name (Draft) >>",
            pdf_stream(form, hidden.encode()),
        ]
    )


def pdf_of_packed_objects() -> bytes:
    """Make a PDF of an empty page with object streams and a cross-reference stream, as in PDF 1.5."""
    return _packed_pdf(
        (
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
        )
    )


def _packed_pdf(objects: Sequence[str], *streams: bytes) -> bytes:
    """Make a PDF with `objects` in an object stream; the streams follow in number."""
    count = len(objects)
    places = [sum(len(before) + 1 for before in objects[:number]) for number in range(count)]
    heads = " ".join(f"{number} {place}" for number, place in enumerate(places, start=1)) + " "
    packed = zlib.compress((heads + " ".join(objects)).encode())
    described = f"/Type /ObjStm /N {count} /First {len(heads)} /Filter /FlateDecode"
    body, row = b"%PDF-1.5\n", struct.Struct(">BHB").pack
    holder = count + 1 + len(streams)
    rows = [row(0, 0, 255), *(row(2, holder, number) for number in range(count))]
    for number, content in enumerate((*streams, pdf_stream(described, packed)), start=count + 1):
        rows.append(row(1, len(body), 0))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = b"".join([*rows, row(1, len(body), 0)])
    described = f"/Type /XRef /Size {holder + 2} /W [1 2 1] /Root 1 0 R"
    end = f"startxref\n{len(body)}\n%%EOF\n".encode()
    return body + f"{holder + 1} 0 obj\n".encode() + pdf_stream(described, table) + b"\nendobj\n" + end


def pdf_of_nested_forms(drawn: bytes, depth: int) -> bytes:
    """Make a PDF of a small page with `depth` nested forms; content `drawn` draws the next as /Im0."""
    forms = [_form(place=6 + number, draw=drawn) for number in range(depth)]
    return pdf_of_objects([*_page_that_draws(drawn), *forms, _form(place=0, draw=b"0 0 9 9 re f")])


def _page_that_draws(content: bytes) -> list[bytes]:
    """Return objects 1 to 4: a page with object 5 as its /Im0."""
    return [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R "
        b"/Resources << /XObject << /Im0 5 0 R >> >> >>",
        pdf_stream("", content),
    ]


def pdf_with_pictures(count: int, side: int) -> bytes:
    """Make a PDF of a small page that draws `count` grey images of side x side pixels, each in a corner."""
    names = [f"/Im{number}" for number in range(count)]
    resources = " ".join(f"{name} {5 + number} 0 R" for number, name in enumerate(names))
    picture = _picture(side, bits=8)
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R "
            + f"/Resources << /XObject << {resources} >> >> >>".encode(),
            pdf_stream("", " ".join(f"q 9 0 0 9 0 0 cm {name} Do Q" for name in names).encode()),
            *[picture] * count,
        ]
    )


def pdf_with_stamp(side: int) -> bytes:
    """Make a PDF of a small page with a stamp annotation: a black image of side x side pixels."""
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Annots [4 0 R] >>",
            b"<< /Type /Annot /Subtype /Stamp /Rect [10 10 60 60] /F 4 /AP << /N 5 0 R >> >>",
            _form(place=6, draw=b"q 50 0 0 50 0 0 cm /Im0 Do Q"),
            _picture(side),
        ]
    )


def pdf_with_filled_form() -> bytes:
    """Make a PDF of one page with a text field that is filled in."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(200, 60), invariant=1)
    canvas.acroForm.textfield(name="who", value="IIIIIIIIII", x=10, y=15, width=180, height=30, borderWidth=0)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _form(place: int, draw: bytes = b"q 50 0 0 50 10 10 cm /Im0 Do Q") -> bytes:
    resources = f"/Resources << /XObject << /Im0 {place} 0 R >> >>"
    return pdf_stream(f"/Type /XObject /Subtype /Form /BBox [0 0 100 100] {resources}", draw)


def _picture(side: int, bits: int = 1) -> bytes:
    described = f"/Type /XObject /Subtype /Image /Width {side} /Height {side} /ColorSpace /DeviceGray"
    pixels = _compressed_zeros((side * bits + 7) // 8 * side)
    return pdf_stream(f"{described} /BitsPerComponent {bits} /Filter /FlateDecode", pixels)


def pdf_stream(described: str, data: bytes) -> bytes:
    return f"<< {described} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def pdf_of_objects(objects: Sequence[bytes]) -> bytes:
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + tail.encode() + trailer.encode()


def slow_pdf(blends: int = 99) -> bytes:
    """Make a PDF whose page blends its whole area again and again: a small file that is drawn for minutes."""
    state = b"<< /Type /ExtGState /BM /Luminosity /ca 0.5 >>"
    rectangles = b"".join(
        b"/G gs 0.%02d 0.5 0.7 rg 0 0 14400 14400 re f\n" % number for number in range(blends)
    )
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14400 14400] /Contents 4 0 R "
            b"/Resources << /ExtGState << /G 5 0 R >> >> >>",
            pdf_stream("", rectangles),
            state,
        ]
    )
