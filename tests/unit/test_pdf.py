import asyncio
import io
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from PIL import Image, ImageChops

from benchmarks.processes import children, command_line
from ocr_service.core.documents import WarningCode
from ocr_service.core.errors import BrokenDocument, DecoderKilled, EncryptedPdf, TooManyPixels
from ocr_service.decoding.document import DECODERS
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.open_pdf import OpenPdf
from ocr_service.decoding.opening import open_document
from ocr_service.runtime.processes.pool import NoSlot
from ocr_service.runtime.processes.worker_process import WorkerEnded
from tests.samples import (
    pdf_in_user_units,
    pdf_of_images,
    pdf_of_nested_forms,
    pdf_of_text,
    pdf_with_broken_page,
    pdf_with_filled_form,
    pdf_with_huge_picture,
    pdf_with_layers,
    pdf_with_stamp,
    slow_pdf,
)

pytestmark = pytest.mark.anyio

SMALL = Limits(1_000_000, max_page_side=32_767)
ROOMY = Limits(10_000_000, max_page_side=32_767)


@pytest.mark.parametrize(("dpi", "size"), [(72, (595, 842)), (144, (1190, 1684)), (300, (2479, 3508))])
async def test_pages_are_rendered_at_the_resolution(dpi: int, size: tuple[int, int]) -> None:
    async with open_document(pdf_of_text(["Hello"]), dpi=dpi, mode="L", limits=ROOMY) as document:
        page = await document.page(1)
    assert page.image.size == size
    assert (page.resolution, page.warnings) == (dpi, ())
    assert np.asarray(page.image).min() < 50, "the text is drawn"


@pytest.mark.parametrize("mode", ["L", "RGB"])
async def test_pages_have_the_image_mode_of_the_engine(mode: str) -> None:
    data = pdf_of_images([Image.new("RGB", (100, 100), (250, 10, 20))], dpi=72)
    async with open_document(data, dpi=72, mode=mode, limits=ROOMY) as document:  # type: ignore[arg-type]
        page = await document.page(1)
    assert page.image.mode == mode
    if mode == "RGB":
        red, green, blue = page.image.getpixel((50, 50))  # type: ignore[misc]
        assert red > 230 and green < 40 and blue < 50


async def test_large_page_is_scaled_to_the_pixel_limit() -> None:
    """A page of 200 x 200 inches has 3600 megapixels at 300 dpi."""
    async with open_document(
        pdf_of_text(["Hello"], size=(14400, 14400)), dpi=300, mode="L", limits=ROOMY
    ) as document:
        page = await document.page(1)
    pixels = page.image.width * page.image.height
    assert 0.99 * ROOMY.max_page_pixels < pixels <= ROOMY.max_page_pixels
    assert page.resolution == 16
    assert [warning.code for warning in page.warnings] == [WarningCode.LOW_RESOLUTION]


async def test_long_narrow_page_is_scaled_to_the_pixel_limit() -> None:
    async with open_document(
        pdf_of_text(["Hello"], size=(30, 14400)),
        dpi=1200,
        mode="L",
        limits=SMALL,
    ) as document:
        page = await document.page(1)
    assert page.image.width * page.image.height <= 1_000_000


async def test_page_beyond_the_maximum_side_is_scaled() -> None:
    limits = Limits(100_000_000, max_page_side=5000)
    async with open_document(pdf_of_text(["a"], (595, 14400)), dpi=300, mode="L", limits=limits) as document:
        page = await document.page(1)
    assert 4990 < page.image.height <= 5000
    assert page.resolution == 25


@pytest.mark.parametrize("size", [(2480, 3508), (2481, 3507), (620, 877)])
async def test_scan_is_drawn_pixel_by_pixel(size: tuple[int, int]) -> None:
    """The points of a page of whole pixels are rounded in the file; stretched, the noise would have greys."""
    noise = Image.effect_noise(size, 100).point(lambda value: 255 * (value > 128)).convert("1")
    async with open_document(pdf_of_images([noise]), dpi=300, mode="L", limits=ROOMY) as document:
        page = await document.page(1)
    assert page.image.size == size
    assert ImageChops.difference(page.image, noise.convert("L")).getbbox() is None


async def test_tiny_page_is_drawn_at_the_pixels_of_its_scan() -> None:
    """A scan of A5 at 150 dpi on a page of an inch."""
    scan = Image.new("L", (874, 1240), 255)
    scan.paste(0, (400, 600, 402, 602))
    async with open_document(pdf_of_images([scan], dpi=1240), dpi=300, mode="L", limits=ROOMY) as document:
        announced, page = await document.pixels(1), await document.page(1)
    width, height = page.image.size
    assert abs(width - 874) <= 1 and abs(height - 1240) <= 1
    assert announced >= width * height
    assert page.resolution is None
    assert np.asarray(page.image).min() < 50, "single pixels of the scan are drawn"


async def test_tiny_page_without_a_scan_is_drawn_at_the_resolution() -> None:
    async with open_document(pdf_of_text(["a"], (72, 144)), dpi=144, mode="L", limits=ROOMY) as document:
        page = await document.page(1)
    assert (page.image.size, page.resolution) == ((144, 288), 144)


async def test_pages_are_rendered_in_any_order() -> None:
    async with open_document(pdf_of_text(["a"] * 5), dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 5
        assert [(await document.page(index)).index for index in (4, 1, 5)] == [4, 1, 5]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "in an object stream"])
async def test_user_unit_enlarges_the_page(packed: bool) -> None:
    """A Letter page in inches instead of points."""
    data = pdf_in_user_units(unit=72, size=(8.5, 11), packed=packed)
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        announced, page = await document.pixels(1), await document.page(1)
        ordinary = await document.page(2)
    assert page.image.size == (612, 792)
    assert (announced, page.resolution) == (612 * 792, 72)
    # The page has a black square inch, one inch from its left and lower edges.
    assert not np.asarray(page.image)[-144:-72, 72:144].any()
    assert ordinary.image.size == (8, 11), "the next page has no user unit"


async def test_page_in_user_units_is_scaled_to_the_pixel_limit() -> None:
    data = pdf_in_user_units(unit=1e6, size=(100, 100))
    async with open_document(data, dpi=72, mode="L", limits=SMALL) as document:
        announced, page = await document.pixels(1), await document.page(1)
    assert 0.99 * SMALL.max_page_pixels < page.image.width * page.image.height <= announced
    assert announced <= SMALL.max_page_pixels


@pytest.mark.parametrize("unit", ["0", "-3", "(two)", "4 0 R", "1e9999", "99999999999999999999999"])
async def test_invalid_user_unit_is_ignored_or_refused(unit: str) -> None:
    data = pdf_in_user_units(unit=7).replace(b"/UserUnit 7", f"/UserUnit {unit}".encode())
    async with open_document(data, dpi=72, mode="L", limits=SMALL) as document:
        assert (await document.page(1)).image.width in range(100, 1001)


async def test_encrypted_pdf_is_refused() -> None:
    with pytest.raises(EncryptedPdf):
        async with open_document(pdf_of_text(["a"], password="s3same"), dpi=72, mode="L", limits=ROOMY):
            pass


def test_pdf_without_pages_has_no_error_of_another_document() -> None:
    without_pages = io.BytesIO()
    pikepdf.new().save(without_pages)
    with pytest.raises(pdfium.PdfiumError):
        OpenPdf(pdf_of_text(["Secret"], password="s3same"))
    with pytest.raises(pdfium.PdfiumError) as caught:
        OpenPdf(without_pages.getvalue())
    assert caught.value.err_code == pdfium_c.FPDF_ERR_FORMAT


async def test_encryption_that_is_not_supported_is_told() -> None:
    """Security handlers of companies are known to their own readers only."""
    handler = b"<< /Filter /ACME.Guard /V 1 /R 2 >>"
    data = pdf_of_text(["a"]).replace(b"trailer\n<<", b"trailer\n<< /Encrypt " + handler)
    with pytest.raises(EncryptedPdf, match="by a method that is not supported"):
        async with open_document(data, dpi=72, mode="L", limits=ROOMY):
            pass


@pytest.mark.parametrize(
    "leading",
    [b"\xef\xbb\xbf\r\n", b"<!DOCTYPE html>\n<br>Notice: x", b"<?xml version='1.0'?>", b" " * 1023],
    ids=["byte order mark", "HTML", "XML", "1023 bytes"],
)
async def test_pdf_after_leading_junk_is_recognised(leading: bytes) -> None:
    data = leading + pdf_of_text(["a"])
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 1


async def test_damaged_page_does_not_affect_the_others() -> None:
    async with open_document(pdf_with_broken_page(2, 3), dpi=72, mode="L", limits=ROOMY) as document:
        assert document.page_count == 3
        with pytest.raises(BrokenDocument, match="Page 2"):
            await document.page(2)
        assert (await document.page(3)).image.size == (100, 100)


@pytest.mark.parametrize("made", [pdf_with_huge_picture, pdf_with_stamp], ids=["drawn", "stamp"])
async def test_embedded_image_beyond_the_pixel_limit_is_refused(made: Callable[[int], bytes]) -> None:
    async with open_document(made(4000), dpi=72, mode="L", limits=ROOMY) as document:
        with pytest.raises(TooManyPixels, match="4000 x 4000"):
            await document.page(1)
    async with open_document(made(3000), dpi=72, mode="L", limits=ROOMY) as document:
        assert np.asarray((await document.page(1)).image).min() == 0


@pytest.mark.parametrize("damage", [b"no picture", b""])
async def test_picture_that_cannot_be_decoded_is_told(damage: bytes) -> None:
    whole = pdf_of_images([Image.new("L", (400, 300), 90)] * 2, dpi=72)
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        for picture in pdf.pages[1].get_images().values():
            picture.write(damage, filter=pikepdf.Name.DCTDecode)
        file = io.BytesIO()
        pdf.save(file)
    async with open_document(file.getvalue(), dpi=72, mode="L", limits=ROOMY) as document:
        good, bad = await document.page(1), await document.page(2)
    assert not good.warnings
    assert [warning.code for warning in bad.warnings] == [WarningCode.TRUNCATED_FILE]


async def test_image_in_nested_forms_beyond_the_pixel_limit_is_refused() -> None:
    async with open_document(
        pdf_with_huge_picture(4000, depth=12), dpi=72, mode="L", limits=ROOMY
    ) as document:
        with pytest.raises(TooManyPixels, match="4000 x 4000"):
            await document.page(1)


@pytest.mark.parametrize("needs_rendering", [True, False])
async def test_dynamic_form_is_told(needs_rendering: bool) -> None:
    pdf = pikepdf.open(io.BytesIO(pdf_of_text(["Please wait"])))
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array(), XFA=pdf.make_stream(b"<xdp/>"))
    pdf.Root.NeedsRendering = needs_rendering
    form = io.BytesIO()
    pdf.save(form)
    async with open_document(form.getvalue(), dpi=72, mode="L", limits=ROOMY) as document:
        layer, page = await document.text_layer(1), await document.page(1)
    assert layer is not None and layer.is_usable is not needs_rendering
    codes = [warning.code for warning in page.warnings]
    assert (WarningCode.DYNAMIC_FORM in codes) is needs_rendering


async def test_form_field_values_are_rendered() -> None:
    async with open_document(pdf_with_filled_form(), dpi=72, mode="L", limits=ROOMY) as document:
        page = np.asarray((await document.page(1)).image)
    assert page[20:40, 20:180].min() < 60


async def test_no_process_holds_a_document_after_its_use_or_failure() -> None:
    async with open_document(pdf_of_text(["a"]), dpi=72, mode="L", limits=ROOMY):
        assert [process.document for process in DECODERS.idle if process.document]
    assert not [process.document for process in DECODERS.idle if process.document]
    with pytest.raises(EncryptedPdf):
        async with open_document(pdf_of_text(["a"], password="s3same"), dpi=72, mode="L", limits=ROOMY):
            pass
    assert not [process.document for process in DECODERS.idle if process.document]


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.7\n" + bytes(500), pdf_of_text(["a"])[:200]])
async def test_damaged_structure_is_a_broken_document(data: bytes) -> None:
    with pytest.raises(BrokenDocument):
        async with open_document(data, dpi=72, mode="L", limits=ROOMY):
            pass


async def test_rendering_stops_when_nobody_waits_for_the_page() -> None:
    async with open_document(slow_pdf(), dpi=300, mode="L", limits=ROOMY) as document:
        rendering = asyncio.create_task(document.page(1))
        async with asyncio.timeout(120):
            while not DECODERS.slow.taken:
                await asyncio.sleep(0.01)
        rendering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rendering
    assert DECODERS.slow.taken == DECODERS.quick.taken == 0


async def test_other_documents_are_drawn_while_some_take_long() -> None:
    """Each of these small files would hold PDFium for minutes."""
    async with AsyncExitStack() as stack:
        slow = [
            await stack.enter_async_context(open_document(slow_pdf(), dpi=300, mode="L", limits=ROOMY))
            for _ in range(2 * DECODERS.quick.places)
        ]
        drawing = [asyncio.create_task(document.page(1)) for document in slow]
        async with open_document(pdf_of_text(["a"]), dpi=72, mode="L", limits=ROOMY) as document:
            assert (await document.page(1)).image.size == (595, 842)
        assert not any(task.done() for task in drawing)
        for task in drawing:
            task.cancel()
        await asyncio.gather(*drawing, return_exceptions=True)


async def test_wide_picture_on_a_page_is_drawn() -> None:
    """The engine reads the page, so its limit for a side is no limit for the picture."""
    scan = Image.new("L", (400, 6), 0)
    limits = Limits(10_000, max_page_side=300)
    async with open_document(pdf_of_images([scan], 300), dpi=72, mode="L", limits=limits) as document:
        assert np.asarray((await document.page(1)).image).max() < 60


async def test_page_of_a_closed_document_is_not_rendered() -> None:
    async with open_document(pdf_of_text(["a"]), dpi=72, mode="L", limits=ROOMY) as document:
        pass
    with pytest.raises(BrokenDocument, match="not needed"):
        await document.page(1)


@pytest.mark.parametrize("drawn", [b"/Im0 Do " * 10, b"/Im0 Do /Im0 Do"], ids=["wide", "deep"])
async def test_form_bomb_is_refused(drawn: bytes) -> None:
    """PDFium would expand two kilobytes to gigabytes; another document is still read."""
    data = pdf_of_nested_forms(drawn, depth=20)
    async with (
        open_document(data, dpi=72, mode="L", limits=ROOMY) as bomb,
        open_document(pdf_of_text(["a"]), dpi=72, mode="L", limits=ROOMY) as other,
    ):
        with pytest.raises(BrokenDocument, match="Page 1 of the PDF cannot be read within the limits"):
            await bomb.page(1)
        assert (await other.page(1)).image.size == (595, 842)
        # A tiny page may be drawn as large as A4.
        assert await bomb.pixels(1) == 842 * 842


async def test_recursive_form_is_refused() -> None:
    """A form without its own resources inherits the resources of the page, and so contains itself."""
    nested = pdf_of_nested_forms(b"/Im0 Do /Im0 Do", depth=1)
    data = nested.replace(b"/Resources << /XObject << /Im0 6", b"/Nothing__ << /XObject << /Im0 6")
    async with open_document(data, dpi=72, mode="L", limits=ROOMY) as document:
        with pytest.raises(BrokenDocument, match="cannot be read within"):
            await document.page(1)


async def test_killed_process_is_replaced() -> None:
    async with open_document(pdf_of_text(["a"]), dpi=72, mode="L", limits=ROOMY) as document:
        for process in DECODERS.idle:
            process.kill()
            with pytest.raises(WorkerEnded):
                await process.receive()
        assert (await document.page(1)).image.size == (595, 842)


class WatchedSlot(NoSlot):
    """is_back: the page takes long, and its process is at work."""

    def __init__(self) -> None:
        self.is_back = asyncio.Event()

    def give_back(self) -> None:
        self.is_back.set()


async def test_page_of_a_decoder_that_the_system_kills_is_not_broken() -> None:
    """As the kernel kills it when the memory is full."""
    slot = WatchedSlot()
    async with open_document(slow_pdf(), dpi=300, mode="L", limits=ROOMY) as document:
        drawing = asyncio.create_task(document.page(1, slot))
        async with asyncio.timeout(120):
            await slot.is_back.wait()
        # Not those of a service that this process runs for other tests.
        servers = [pid for pid in children(os.getpid()) if b"decoding.worker" in command_line(pid)]
        for worker in [pid for server in servers for pid in children(server)]:
            with suppress(ProcessLookupError):  # a worker of an earlier test has ended
                os.kill(worker, signal.SIGKILL)
        with pytest.raises(DecoderKilled, match="Page 1 of the PDF could not be decoded"):
            await drawing


async def test_page_beyond_the_time_limit_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_document(slow_pdf(), dpi=300, mode="L", limits=ROOMY) as document:
        await document.pixels(1)
        monkeypatch.setattr("ocr_service.decoding.document._PAGE_SECONDS", 0.6)
        with pytest.raises(BrokenDocument, match="cannot be read within the limits of time and memory"):
            await document.page(1)
        assert await document.pixels(1) > 0


@pytest.mark.parametrize("in_form", [False, True])
@pytest.mark.parametrize("off", ["/OFF [8 0 R]", "/BaseState /OFF /ON []"])
async def test_text_of_a_layer_that_is_off_is_not_taken(off: str, in_form: bool) -> None:
    pdf = pdf_with_layers("Ten boxes of paper were delivered.", off, in_form)
    async with open_document(pdf, dpi=72, mode="L", limits=ROOMY) as document:
        layered, plain = await document.text_layer(1), await document.text_layer(2)
        drawn = np.asarray((await document.page(1)).image)
    assert layered is not None and plain is not None
    assert layered.flaw is not None and "layers that are not shown" in layered.flaw
    assert plain.flaw is None
    assert drawn[:60].min() < 128 < drawn[60:].min()


async def test_text_of_a_layer_that_is_on_is_taken() -> None:
    pdf = pdf_with_layers("Ten boxes of paper were delivered.", "/OFF [ ]")
    async with open_document(pdf, dpi=72, mode="L", limits=ROOMY) as document:
        layer = await document.text_layer(1)
    assert layer is not None
    assert (layer.flaw, layer.text.count("Ten boxes")) == (None, 2)
