"""Text of PDFs whose fonts are not embedded."""

import io
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pytest
from PIL import Image
from tesserocr import PSM, PyTessBaseAPI

from ocr_service.core.documents import Page
from ocr_service.decoding.font_files import FontFiles, Style
from ocr_service.decoding.font_report import FontReport
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from tests import pdf_fonts
from tests.pdf_fonts import (
    INVOICE,
    OFFICE,
    SIGNS,
    STANDARD,
    Coding,
    pdf_of_lines,
    pdf_of_pages,
    pdf_with_field,
    pdf_with_stamp_of_text,
)

pytestmark = pytest.mark.anyio

LIMITS = Limits(10_000_000, max_page_side=32_767)
FIELDS = "/AcroForm << /Fields [5 0 R] /DR << /Font << /Helv 7 0 R >> >> /DA (/Helv 0 Tf 0 g) >>"

FONT_FOLDERS = [f"/usr/share/fonts/truetype/{name}" for name in ("liberation", "dejavu", "crosextra")]

# Draws a page as PDFium does with its own faces. By default it also looks for fonts on the machine, and takes
# OpenSymbol, which LibreOffice brings, for Symbol.
PLAIN = """
import mmap, sys, pypdfium2
from pypdfium2.internal import set_callbacks
from ocr_service.decoding.canvas import image_in
from ocr_service.decoding.rendering import render
fonts = pypdfium2.raw.FPDF_SYSFONTINFO(version=2)
set_callbacks(fonts, MapFont=lambda *_: None)
pypdfium2.raw.FPDF_SetSystemFontInfo(fonts)
pdf = pypdfium2.PdfDocument(sys.stdin.buffer.read())
pdf.init_forms()
memory = mmap.mmap(-1, 2**24)
size = render(pdf[0], float(sys.argv[1]), "L", memory)
# Without a buffer, as PYTHONUNBUFFERED orders it, a pipe may take a part of what is written.
with open(1, "wb") as output:
    image_in(memoryview(memory), size, "L").save(output, "PNG")
"""


async def drawn(data: bytes, dpi: int = 72, index: int = 1) -> Page:
    async with open_document(data, dpi=dpi, mode="L", limits=LIMITS) as document:
        return await document.page(index)


def codes(page: Page) -> list[str]:
    return [warning.code for warning in page.warnings]


def drawn_by(data: bytes, *command: str) -> Image.Image:
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("L")


def drawn_by_poppler(data: bytes, dpi: int) -> Image.Image:
    """Draw a page with the fonts that replace others here, even if the machine has more."""
    folders = "".join(f"<dir>{folder}</dir>" for folder in FONT_FOLDERS)
    with NamedTemporaryFile(suffix=".conf") as settings:
        settings.write(f"<fontconfig>{folders}<include>/etc/fonts/conf.d</include></fontconfig>".encode())
        settings.flush()
        return drawn_by(
            data, "env", f"FONTCONFIG_FILE={settings.name}", "pdftoppm", "-r", str(dpi), "-png", "-"
        )


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of grey values, of pictures of 64 x 64 pixels."""
    small = [np.asarray(image.resize((64, 64), Image.Resampling.BOX), dtype=float) for image in (one, other)]
    return float(np.abs(small[0] - small[1]).mean())


def recognized(image: Image.Image) -> list[str]:
    with PyTessBaseAPI(lang="rus", psm=PSM.SINGLE_BLOCK, path="/usr/share/tesseract-ocr/5/tessdata") as api:
        api.SetImage(image)
        return [line for line in api.GetUTF8Text().splitlines() if line.strip()]


CODINGS = [
    pdf_fonts.by_differences,
    pdf_fonts.by_differences_of_symbols,
    pdf_fonts.by_unicode_names,
    pdf_fonts.by_to_unicode,
    pdf_fonts.by_to_unicode_of_type_0,
    pdf_fonts.by_cmap,
]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.__name__)
async def test_cyrillic_text_is_drawn_in_each_font_as_by_poppler(coding: Coding) -> None:
    data = pdf_of_lines(STANDARD + OFFICE, INVOICE, coding)
    page = await drawn(data, dpi=130)
    # An empty page differs by 20.
    assert difference(page.image, drawn_by_poppler(data, 130)) < 6
    assert recognized(page.image) == [INVOICE] * len(STANDARD + OFFICE)


async def test_text_is_drawn_by_a_map_alone() -> None:
    """Poppler draws no letters here."""
    page = await drawn(pdf_of_lines(OFFICE, INVOICE, pdf_fonts.by_to_unicode_of_bytes), dpi=130)
    assert recognized(page.image) == [INVOICE] * len(OFFICE)
    assert codes(page) == ["fonts_substituted"]


async def test_bold_fonts_are_bold() -> None:
    ink = []
    for fonts in (OFFICE[::2], OFFICE[1::2]):
        page = np.asarray((await drawn(pdf_of_lines(fonts, INVOICE, pdf_fonts.by_to_unicode))).image)
        lines = page[8 : 8 + 28 * len(fonts)].reshape(len(fonts), -1)
        ink.append((255.0 - lines).sum(axis=1))
    assert (ink[1] > 1.15 * ink[0]).all()


@pytest.mark.parametrize(
    "name", ["ArialMT", "TimesNewRomanPS-BoldMT", "CourierNew", "Calibri", "LiberationSans"]
)
async def test_fonts_of_equal_metrics_need_no_warning(name: str) -> None:
    page = await drawn(pdf_of_lines([name], INVOICE, pdf_fonts.by_differences))
    assert codes(page) == []


@pytest.mark.parametrize("coding", [pdf_fonts.by_differences, pdf_fonts.by_win_ansi])
async def test_font_of_other_metrics_is_told(coding: Coding) -> None:
    text = INVOICE if coding is pdf_fonts.by_differences else "Invoice 4471"
    assert codes(await drawn(pdf_of_lines(["Verdana", "ArialMT"], text, coding))) == ["fonts_substituted"]


@pytest.mark.parametrize(
    ("coding", "text"),
    [
        (pdf_fonts.by_win_ansi_and_to_unicode, "Лист"),
        (pdf_fonts.by_glyph_numbers, "Лист"),
        (pdf_fonts.by_cmap, "Лист \U0001f12f\u1c5a"),
    ],
    ids=["other letters", "unknown letters", "no glyphs"],
)
async def test_characters_that_are_not_drawn_are_told(coding: Coding, text: str) -> None:
    page = await drawn(pdf_of_lines(["ArialMT"], text, coding))
    assert codes(page) == ["fonts_substituted", "missing_characters"]


async def test_letters_instead_of_signs_are_told() -> None:
    page = await drawn(pdf_of_lines(["Wingdings-Regular"], "abc", pdf_fonts.by_win_ansi))
    assert codes(page) == ["fonts_substituted", "missing_characters"]


async def test_numbers_of_glyphs_are_drawn_as_in_the_font_that_is_missing() -> None:
    """Fonts of the same metrics mostly have the same numbers for the letters of ASCII."""
    page = await drawn(
        pdf_of_lines(["ArialMT", "TimesNewRomanPSMT"], "4471 - 17", pdf_fonts.by_glyph_numbers), 200
    )
    assert recognized(page.image) == ["4471 - 17"] * 2
    assert codes(page) == ["fonts_substituted", "missing_characters"]


@pytest.mark.parametrize("coding", [pdf_fonts.by_win_ansi, pdf_fonts.by_win_ansi_of_type_1])
async def test_latin_text_is_drawn_as_before(coding: Coding) -> None:
    data = pdf_of_lines(STANDARD + SIGNS + OFFICE, "Invoice 4471, café €5", coding)
    page = await drawn(data, dpi=144)
    assert page.image == drawn_by(data, sys.executable, "-c", PLAIN, "2")


async def test_each_page_is_drawn_with_the_fonts_that_it_needs() -> None:
    """PDFium keeps a font that several pages use, and pages come in any order."""
    data = pdf_of_pages("ArialMT", ["Invoice 4471", INVOICE])
    latin, cyrillic = [(await drawn(data, index=index)).image for index in (1, 2)]
    assert latin == drawn_by(data, sys.executable, "-c", PLAIN, "1")
    assert recognized(cyrillic.resize((1080, 144))) == [INVOICE]
    async with open_document(data, dpi=72, mode="L", limits=LIMITS) as document:
        assert [(await document.page(index)).image for index in (2, 1, 2)] == [cyrillic, latin, cyrillic]


async def test_invisible_text_of_a_scan_has_no_warning() -> None:
    data = pdf_of_lines(["ArialMT", "Verdana"], "日本", pdf_fonts.by_cmap, invisible=True)
    assert (await drawn(data)).warnings == ()


@pytest.mark.parametrize("is_drawn", [True, False], ids=["drawn", "not drawn"])
@pytest.mark.parametrize("catalog", ["", "/AcroForm << >>", FIELDS], ids=["no form", "empty form", "form"])
async def test_value_of_a_form_field_is_drawn(catalog: str, is_drawn: bool) -> None:
    page = await drawn(pdf_with_field(catalog, INVOICE, drawn=is_drawn), dpi=200)
    assert recognized(page.image) == [INVOICE]
    assert codes(page) == []


async def test_sign_that_pdfium_cannot_write_into_a_field_is_told() -> None:
    assert "missing_characters" in codes(await drawn(pdf_with_field(FIELDS, "Счёт № 5", drawn=False)))
    assert codes(await drawn(pdf_with_field(FIELDS, "Счёт № 5", drawn=True))) == []


async def test_text_of_a_stamp_is_drawn() -> None:
    page = await drawn(pdf_with_stamp_of_text(INVOICE), dpi=200)
    assert recognized(page.image) == [INVOICE]


async def test_latin_value_of_a_form_field_is_drawn_as_before() -> None:
    data = pdf_with_field(FIELDS, "Invoice 4471", drawn=True)
    assert (await drawn(data)).image == drawn_by(data, sys.executable, "-c", PLAIN, "1")


def test_machine_without_fonts_has_no_replacement(tmp_path: Path) -> None:
    files = FontFiles((str(tmp_path),))
    assert files.replacement("Helvetica", Style()) is None
    assert files.missing_packages == ["fonts-liberation", "fonts-dejavu-core"]
    assert not files.has_same_metrics("Arial")
    _, warning = FontReport(lacks_characters=True).warnings(files.missing_packages)
    assert warning.detail.endswith("The service lacks fonts: fonts-liberation, fonts-dejavu-core.")


@pytest.mark.parametrize(
    ("name", "style", "file"),
    [
        ("Helvetica-BoldOblique", Style(bold=True, italic=True), "LiberationSans-BoldItalic"),
        ("ABCDEF+Times New Roman,Bold", Style(bold=True), "LiberationSerif-Bold"),
        ("Calibri", Style(italic=True), "Carlito-Italic"),
        ("Verdana", Style(italic=True), "DejaVuSans"),
        ("Unknown", Style(), "LiberationSans"),
        ("Unknown", Style(pitch=16), "LiberationSerif"),
        ("Unknown", Style(pitch=17), "LiberationMono"),
        ("Cambria-Bold", Style(bold=True), "LiberationSerif-Bold"),
        ("Wingdings-Regular", Style(), None),
    ],
)
def test_replacement_of_a_font(name: str, style: Style, file: str | None) -> None:
    path = FontFiles().replacement(name, style)
    assert (path and path.stem.removesuffix("-Regular")) == file


def test_dejavu_replaces_missing_fonts(tmp_path: Path) -> None:
    (tmp_path / "DejaVuSerif.ttf").touch()
    files = FontFiles((str(tmp_path),))
    assert files.replacement("Times-Roman", Style()) == tmp_path / "DejaVuSerif.ttf"
    assert not files.has_same_metrics("Times-Roman")
