"""Request bodies for the clients of `make load`."""

import io
from dataclasses import dataclass

from PIL import Image

from tests.samples import bomb_png, pdf_of_images, pdf_of_text, pdf_with_broken_page
from tests.stand_ins.pages import text_page

# Pixels of a page: small enough that Tesseract finishes a long PDF.
SIZE = (827, 600)
LONG = 20
BOUNDARY = "a-boundary-that-no-document-has"


@dataclass(frozen=True)
class Documents:
    """Multipart bodies. small: images of a few lines. long: PDFs. bad: invalid files."""

    small: list[bytes]
    long: list[bytes]
    bad: list[bytes]


def documents(dpi: int) -> Documents:
    """Make the bodies. dpi: resolution of the engine for PDF pages, so that their size is unchanged."""
    images = [text_page(3, seed, SIZE) for seed in range(8)]
    pages = [text_page(3, seed, SIZE) for seed in range(LONG)]
    files = [_file(image, kind) for image, kind in zip(images, ["JPEG", "PNG"] * 4, strict=True)]
    bad = [
        files[0][:2000],
        files[1][: len(files[1]) // 2],
        bomb_png(25_000),
        b"no document at all",
        b"",
        b"PK\x03\x04 an office document",
        b"%PDF-1.7 and no more",
        pdf_of_text(["a"], password="secret"),
        pdf_with_broken_page(1, 1),
    ]
    cut_off = multipart(files[0])[:-20]
    return Documents(
        [multipart(file) for file in files],
        [multipart(pdf_of_images(pages[turn:] + pages[:turn], dpi)) for turn in (0, 7)],
        [*map(multipart, bad), cut_off],
    )


def multipart(data: bytes) -> bytes:
    """Put a file into a form as its only field."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def _file(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()
