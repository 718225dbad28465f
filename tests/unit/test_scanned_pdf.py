"""Pages of a PDF that are one scan are taken as they are, and all others are drawn."""

import io
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from numpy.typing import NDArray
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream
from PIL import Image

from ocr_service.core.documents import ImageMode
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.decoding.rendering import render

pytestmark = pytest.mark.anyio

LIMITS = Limits(10_000_000, max_page_side=32_767)
WIDTH, HEIGHT = 300, 400
WHOLE_PAGE = f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm /Scan Do Q"
COLORS = {"L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK, "1": Name.DeviceGray}


def noise(mode: str = "L", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    grains = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    return Image.fromarray(grains).convert(mode)


def pdf_of_scan(image: Image.Image) -> Pdf:
    """Return a PDF of a page that consists of an image, whose pixels are stored without loss."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT)).obj
    described = Dictionary(
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=image.width,
        Height=image.height,
        ColorSpace=COLORS[image.mode],
        BitsPerComponent=1 if image.mode == "1" else 8,
    )
    page.Resources = Dictionary(XObject=Dictionary(Scan=Stream(pdf, image.tobytes(), described)))
    page.Contents = Stream(pdf, WHOLE_PAGE.encode())
    return pdf


def written(pdf: Pdf) -> bytes:
    file = io.BytesIO()
    pdf.save(file)
    return file.getvalue()


async def pixels_of(data: bytes, mode: ImageMode = "L") -> NDArray[np.uint8]:
    async with open_document(data, dpi=72, mode=mode, limits=LIMITS) as document:
        return np.asarray((await document.page(1)).image)


def drawn(data: bytes) -> NDArray[np.uint8]:
    """Return the page as PDFium draws it."""
    pdf = pdfium.PdfDocument(data)
    pdf.init_forms()
    memory = mmap.mmap(-1, 4 * WIDTH * HEIGHT)
    width, height = render(pdf[0], 1.0, "L", memory)
    return np.frombuffer(memory, np.uint8, width * height).reshape(height, width)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("stored", ["L", "RGB", "1"])
async def test_scan_is_taken_pixel_for_pixel(stored: str, mode: ImageMode) -> None:
    scan = noise(stored)
    pixels = await pixels_of(written(pdf_of_scan(scan)), mode)
    np.testing.assert_array_equal(pixels, np.asarray(scan.convert(mode)))


async def test_scan_in_four_colors_is_taken() -> None:
    inks = Image.merge("CMYK", [Image.new("L", (WIDTH, HEIGHT), ink) for ink in (0, 255, 255, 0)])
    red, green, blue = (await pixels_of(written(pdf_of_scan(inks)), "RGB"))[0, 0]
    assert red > 200 and green < 60 and blue < 60


async def test_scan_is_taken_from_a_page_with_a_rounded_size() -> None:
    """A4 at 300 dpi has 2480 x 3508 pixels, and 595 x 842 points have half a pixel less and more."""
    scan = noise()
    pdf = pdf_of_scan(scan)
    pdf.pages[0].MediaBox = Array([10, 20, 309.4, 420.6])
    pdf.pages[0].Contents = Stream(pdf, b"q 299.4 0 0 400.6 10 20 cm /Scan Do Q")
    np.testing.assert_array_equal(await pixels_of(written(pdf)), np.asarray(scan))


Change = Callable[[Pdf, Object, Object], None]


def contents(text: str) -> Change:
    def change(pdf: Pdf, page: Object, scan: Object) -> None:
        page.Contents = Stream(pdf, text.encode())

    return change


def state(**entries: Any) -> Change:
    """Return a change: the scan is drawn in a graphics state with these entries."""

    def change(pdf: Pdf, page: Object, scan: Object) -> None:
        page.Resources.ExtGState = Dictionary(State=Dictionary(**entries))
        page.Contents = Stream(pdf, f"/State gs {WHOLE_PAGE}".encode())

    return change


def masked(pdf: Pdf, page: Object, scan: Object) -> None:
    scan.Mask = Array([0, 100])


def softly_masked(pdf: Pdf, page: Object, scan: Object) -> None:
    mask = Dictionary(Subtype=Name.Image, Width=1, Height=2, ColorSpace=Name.DeviceGray, BitsPerComponent=8)
    scan.SMask = Stream(pdf, b"\xff\x00", mask)


def rotated(pdf: Pdf, page: Object, scan: Object) -> None:
    page.Rotate = 180


def stamped(pdf: Pdf, page: Object, scan: Object) -> None:
    look = Dictionary(Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 100, 100]))
    stamp = Dictionary(
        Type=Name.Annot,
        Subtype=Name.Stamp,
        Rect=Array([10, 10, 110, 110]),
        F=4,
        AP=Dictionary(N=Stream(pdf, b"0 0 100 100 re f", look)),
    )
    page.Annots = Array([pdf.make_indirect(stamp)])


def hidden(pdf: Pdf, page: Object, scan: Object) -> None:
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Draft"))
    scan.OC = layer
    off = Dictionary(OFF=Array([layer]))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=off)


def cropped(pdf: Pdf, page: Object, scan: Object) -> None:
    page.CropBox = Array([0, 0, WIDTH, HEIGHT - 50])


@pytest.mark.parametrize(
    "change",
    [
        masked,
        softly_masked,
        rotated,
        stamped,
        hidden,
        cropped,
        state(ca=0.5),
        state(BM=Name.Multiply),
        state(TR=Dictionary(FunctionType=2, Domain=[0, 1], C0=[1], C1=[0], N=1)),
        contents(f"{WHOLE_PAGE} 10 10 100 100 re f"),
        contents(f"{WHOLE_PAGE} {WHOLE_PAGE}"),
        contents(f"0 0 100 100 re W n {WHOLE_PAGE}"),
        contents(f"q {WIDTH - 2} 0 0 {HEIGHT} 0 0 cm /Scan Do Q"),
        contents(f"q {WIDTH} 0 0 {HEIGHT} 5 0 cm /Scan Do Q"),
        contents(f"q -{WIDTH} 0 0 {HEIGHT} {WIDTH} 0 cm /Scan Do Q"),
        contents(f"q 0 {HEIGHT} -{WIDTH} 0 {WIDTH} 0 cm /Scan Do Q"),
        contents(f"q {WIDTH} 40 0 {HEIGHT} 0 0 cm /Scan Do Q"),
    ],
)
async def test_page_with_more_than_a_plain_scan_is_drawn(change: Change) -> None:
    pdf = pdf_of_scan(noise())
    page = pdf.pages[0].obj
    change(pdf, page, page.Resources.XObject.Scan)
    data = written(pdf)
    np.testing.assert_array_equal(await pixels_of(data), drawn(data))


async def test_stencil_is_drawn() -> None:
    """In the contents of the page, which can be compressed."""
    stencil = noise("1").tobytes().replace(b"EI", b"EE")
    head = f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm BI /IM true /W {WIDTH} /H {HEIGHT} /BPC 1 ID "
    pdf = pdf_of_scan(noise())
    pdf.pages[0].Contents = Stream(pdf, head.encode() + stencil + b"\nEI Q")
    data = written(pdf)
    np.testing.assert_array_equal(await pixels_of(data), drawn(data))


async def test_scan_of_another_resolution_is_drawn() -> None:
    data = written(pdf_of_scan(noise(size=(WIDTH * 2, HEIGHT * 2))))
    np.testing.assert_array_equal(await pixels_of(data), drawn(data))
