"""Documents of one line, in kinds of files that are rare or damaged."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.samples import SERIF, encoded, pdf_of_images, pdf_of_objects, pdf_stream

LINE = "Delivery 4471 was accepted yesterday"


def picture() -> Image.Image:
    """The line, and below it something that is the larger part of a compressed file."""
    image = Image.new("L", (1200, 400), 255)
    ImageDraw.Draw(image).text((40, 40), LINE, font=ImageFont.truetype(SERIF, 46), fill=0)
    return image


def whole_files() -> dict[str, bytes]:
    """Files with the line, by kind."""
    page = picture()
    transparent = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    return {
        "JPEG 2000": encoded(page, "JPEG2000"),
        "JPEG 2000 codestream": encoded(page, "JPEG2000", no_jp2=True),
        "AVIF": encoded(page.convert("RGB"), "AVIF"),
        "DIB": encoded(page, "DIB"),
        "PNG with 16 bits and a transparent value": encoded(transparent, "PNG", transparency=65535),
        "PDF in user units": pdf_in_inches(),
        "PDF of a wide picture": pdf_of_images([wide_picture()], dpi=900),
    }


def pdf_in_inches() -> bytes:
    """A Letter page in units of 72 points."""
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 8.5 11] /UserUnit 72 /Contents 4 0 R "
            b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >> >> >> >>",
            pdf_stream("", f"BT /F1 0.2 Tf 1 9 Td ({LINE}) Tj ET".encode()),
        ]
    )


def wide_picture() -> Image.Image:
    """A picture wider than Tesseract can read; its page is drawn smaller."""
    wide = Image.new("L", (33_000, 400), 255)
    wide.paste(picture().resize((2400, 800)).crop((0, 0, 2400, 400)), (0, 0))
    return wide


def truncated_jpeg() -> bytes:
    """A scan of which the last part is missing, with the line in its first part."""
    page = picture()
    page.paste(Image.effect_noise((1200, 250), 60), (0, 150))
    data = encoded(page, "JPEG")
    return data[: len(data) // 2]
