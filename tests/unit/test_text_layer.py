import io
import mmap
import re
from collections.abc import Callable
from itertools import product
from textwrap import wrap

import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw
from reportlab.pdfgen.canvas import Canvas

from ocr_service.decoding.canvas import image_in
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.decoding.rendering import render
from ocr_service.decoding.text_layer.characters import Piece, Style
from ocr_service.decoding.text_layer.reading import read_text_layer
from ocr_service.decoding.text_layer.runs import frames_of
from ocr_service.decoding.text_layer.values import TextLayer
from tests.pdf_fonts import STANDARD, by_differences, pdf_of_lines
from tests.samples import ENGLISH, RUSSIAN, pdf_of_objects, pdf_stream
from tests.text_pdfs import A4, HEADING, lines, pdf_of, picture

pytestmark = pytest.mark.anyio

LIMITS = Limits(10_000_000, max_page_side=32_767)
LEFT = [
    "The harbour was quiet when the first",
    "boats came in, and the smell of tar and",
    "salt water hung over the wooden quay,",
    "where the porters waited for the work.",
    "It was the second of March.",
]
RIGHT = [
    "The committee met in October and has",
    "approved a budget for the repair of the",
    "library roof and of its windows, which",
    "had been broken by the storm of May.",
    "Nobody objected.",
]


def layer_of(pdf: bytes, index: int = 0) -> TextLayer:
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    try:
        return read_text_layer(document[index], 150 / 72)
    finally:
        document.close()


def picture_of(pdf: bytes) -> Image.Image:
    document = pdfium.PdfDocument(pdf)
    memory = mmap.mmap(-1, 10 * 2**20)
    size = render(document[0], 150 / 72, "L", memory)
    document.close()
    return image_in(memoryview(memory), size, "L")


def darkest(image: Image.Image) -> int:
    return next(value for value, count in enumerate(image.histogram()) if count)


def drawn(draw: Callable[[Canvas], None]) -> TextLayer:
    return layer_of(pdf_of(draw))


def test_headings_and_paragraphs() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(HEADING, 20)
        canvas.drawString(72, 780, "Договор № 17")
        canvas.setFont("Body", 10)
        lines(canvas, wrap(RUSSIAN[0], 80))
        lines(canvas, wrap(RUSSIAN[1], 80), y=700)

    layer = drawn(draw)
    assert layer.is_usable
    assert [(block.label, block.content) for block in layer.blocks] == [
        ("doc_title", "Договор № 17"),
        ("text", RUSSIAN[0]),
        ("text", RUSSIAN[1]),
    ]
    assert layer.size == (1240, 1754)
    left, top, right, bottom = layer.blocks[0].bbox
    assert left == round(72 * 150 / 72)
    assert top < (842 - 780) * 150 / 72 < bottom
    assert right < 600


@pytest.mark.parametrize("shift", [0, 5], ids=["common base lines", "own base lines"])
def test_columns_are_read_one_after_the_other(shift: int) -> None:
    def draw(canvas: Canvas) -> None:
        lines(
            canvas, ["A title that goes over the whole width of the page and over both of its columns"], y=770
        )
        lines(canvas, LEFT, x=72)
        lines(canvas, RIGHT, x=310, y=750 - shift)
        lines(canvas, ["The last line goes over the whole width of the page, as the first one does."], y=600)

    text = drawn(draw).text
    parts = ["A title", *LEFT, *RIGHT, "The last line"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_addresses_of_a_letter_are_read_from_top_to_bottom() -> None:
    sender, receiver = (
        ["Wexford Paper Co.", "3 Queen's Road", "Norwich"],
        ["Oliver Kent", "51 Castle Gate", "Leeds"],
    )

    def draw(canvas: Canvas) -> None:
        lines(canvas, sender, x=400, y=780)
        lines(canvas, receiver, y=720)
        lines(canvas, ["18 July 2023"], x=400, y=660)
        lines(canvas, ["Order 71222", "Dear Oliver Kent,"], y=630)
        lines(canvas, wrap(ENGLISH[0], 80), y=590)

    text = drawn(draw).text
    places = [text.index(part) for part in (*sender, *receiver, "18 July", "Order", "Dear", "The harbour")]
    assert places == sorted(places)


def test_rows_of_a_price_list_stay_rows() -> None:
    def draw(canvas: Canvas) -> None:
        for number, (name, price) in enumerate(
            (("Paper", "12.50"), ("Pens", "3.00"), ("Ink", "40.10"), ("Glue", "7"))
        ):
            lines(canvas, [name], y=700 - 20 * number)
            lines(canvas, [price], x=400, y=700 - 20 * number)

    words = drawn(draw).text.split()
    assert words == ["Paper", "12.50", "Pens", "3.00", "Ink", "40.10", "Glue", "7"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_places_of_words_are_those_of_their_ink(rotation: int, turned: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setCropBox((20, 30, 575, 812))
        canvas.translate(300, 400)
        canvas.rotate(turned)
        lines(canvas, LEFT, x=-100, y=40)

    pdf = pdf_of(draw, rotation=rotation)
    layer = layer_of(pdf)
    assert layer.turned == (turned - rotation) % 360
    assert layer.text == "\n".join(LEFT)
    page = picture_of(pdf).rotate(-layer.turned, expand=True)
    assert page.size == layer.size
    pen = ImageDraw.Draw(page)
    for box in layer.words:
        assert darkest(page.crop(box)) < 128
        left, top, right, bottom = box
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill="white")
    assert darkest(page) > 128


def test_other_direction_comes_last() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.rotate(90)
        canvas.drawString(300, -30, "Preprint of May 2026")
        canvas.restoreState()
        lines(canvas, LEFT)

    layer = drawn(draw)
    assert layer.turned == 0
    assert layer.text.startswith(LEFT[0])
    assert layer.text.endswith("Preprint of May 2026")


@pytest.mark.parametrize("stroke", [0.5, 2, 4])
def test_frames_of_cells_share_their_sides(stroke: float) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.scale(0.75, 0.75)
        canvas.setLineWidth(stroke)
        for row, column in product(range(3), range(2)):
            left, bottom = 100 + column * 150, 900 - row * 30
            canvas.rect(left, bottom, 150, 30)
            canvas.drawString(left + 10, bottom + 10, f"cell {row} {column}")

    assert drawn(draw).text == "cell 0 0\tcell 0 1\ncell 1 0\tcell 1 1\ncell 2 0\tcell 2 1"


def clipped(canvas: Canvas) -> None:
    canvas.saveState()
    clip = canvas.beginPath()
    clip.rect(72, 400, 100, 20)
    canvas.clipPath(clip, stroke=0)
    lines(canvas, ["hidden"], y=365)
    canvas.restoreState()


def covered(canvas: Canvas) -> None:
    lines(canvas, ["hidden"], y=300)
    canvas.rect(60, 290, 200, 30, stroke=0, fill=1)


def white(canvas: Canvas) -> None:
    canvas.setFillColorRGB(1, 1, 1)
    lines(canvas, ["hidden"], y=250)


@pytest.mark.parametrize("hide", [clipped, covered, white])
def test_page_with_hidden_text_is_looked_at(hide: Callable[[Canvas], None]) -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        hide(canvas)

    layer = drawn(draw)
    assert layer.text == "\n".join(LEFT)
    assert layer.flaw == "Parts of the text are perhaps not seen: they are clipped, covered, or white."


@pytest.mark.parametrize(
    ("stated", "is_good"), [("Total 9", False), ("9", False), ("\u00ad", True), ("ffi", True)]
)
def test_page_that_states_other_text_than_it_draws_is_looked_at(stated: str, is_good: bool) -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        # reportlab writes no marked contents.
        operators: list[str] = vars(canvas)["_code"]
        operators.append(f"/Span <</ActualText <FEFF{stated.encode('utf-16-be').hex()}>>> BDC")
        lines(canvas, ["Total 1"], y=300)
        operators.append("EMC")

    layer = drawn(draw)
    assert layer.flaw == (None if is_good else "The file states text that can differ from what it draws.")


def test_text_in_front_of_other_objects_is_seen() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(60, 395, 200, 30)
        canvas.clipPath(clip, stroke=0)
        canvas.rect(0, 0, 595, 842, stroke=0, fill=1)
        canvas.restoreState()
        canvas.setFillColorRGB(1, 1, 1)
        lines(canvas, ["white on black"], x=72, y=405)
        canvas.setFillColorRGB(0, 0, 0)
        lines(canvas, ["outside of the page"], x=-200, y=500)

    layer = drawn(draw)
    assert layer.is_usable
    assert layer.text == "\n".join(LEFT) + "\n\nwhite on black"


def test_text_printed_twice_is_bold_and_taken_once() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        lines(canvas, ["Total amount"], y=600)
        lines(canvas, ["Total amount"], x=72.3, y=600)

    assert drawn(draw).text.count("Total amount") == 1


def test_raised_and_lowered_digits_keep_their_meaning() -> None:
    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 700)
        for part, size, rise in (
            ("It has 10", 10, 0),
            ("6", 6, 4),
            (" litres of H", 10, 0),
            ("2", 6, -2),
            ("O.", 10, 0),
        ):
            text.setFont("Body", size)
            text.setRise(rise)
            text.textOut(part)
        canvas.drawText(text)

    assert drawn(draw).text == "It has 10⁶ litres of H₂O."


def test_letter_spaced_heading_is_one_word_each() -> None:
    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 780)
        text.setCharSpace(6)
        text.textLine("ДОГОВОР ПОСТАВКИ")
        canvas.drawText(text)
        lines(canvas, wrap(RUSSIAN[0], 80))

    assert drawn(draw).text.startswith("ДОГОВОР ПОСТАВКИ\n")


def test_signs_of_typesetting() -> None:
    text = ["The ﬁrst oﬃce has a co\u00adope\u00adrative win\u00ad", "dow."]
    [block] = drawn(lambda canvas: lines(canvas, text)).blocks
    assert block.content == "The first office has a cooperative window."


def scan(canvas: Canvas) -> None:
    picture(canvas, Image.new("L", (300, 400), 200), (40, 40, 515, 760))


def test_page_of_a_scan_is_not_used() -> None:
    def draw(canvas: Canvas) -> None:
        scan(canvas)
        lines(canvas, ["Received 14 May"])

    layer = drawn(draw)
    assert not layer.is_usable
    assert layer.flaw == "A picture covers most of the page."


def test_invisible_text_is_kept_for_those_who_want_only_text() -> None:
    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 700)
        text.setTextRenderMode(3)
        text.textLine("Recognized by another program")
        canvas.drawText(text)

    layer = drawn(draw)
    assert not layer.is_usable
    assert layer.text == "Recognized by another program"


@pytest.mark.parametrize(
    "text",
    [
        RUSSIAN[0].encode("cp1251").decode("latin-1"),
        ENGLISH[0].translate({code: code + 7 for code in range(ord("a"), ord("s"))}),
        RUSSIAN[0].translate({code: 0x44F - (code - 0x430) for code in range(0x430, 0x450)}),
    ],
    ids=["wrong code page", "exchanged Latin", "exchanged Cyrillic"],
)
def test_letters_of_no_language_are_not_used(text: str) -> None:
    layer = drawn(lambda canvas: lines(canvas, wrap(text, 80)))
    assert layer.flaw == "The letters are not those of a language."


def test_heading_in_the_wrong_code_page_is_looked_at() -> None:
    heading = "Оглавление".encode("cp1251").decode("latin-1")
    layer = drawn(lambda canvas: lines(canvas, [heading, *LEFT]))
    assert layer.flaw == "The letters are not those of a language."


@pytest.mark.parametrize(
    "text", [*RUSSIAN, *ENGLISH, "ÀÁÂÃÄÅÆÇÈÉÊË àáâãäåæçèéêë", "été à l'œuvre où ça mûrît"]
)
def test_letters_of_a_language_are_used(text: str) -> None:
    assert drawn(lambda canvas: lines(canvas, wrap(text, 80))).is_usable


def test_codes_without_a_character_are_not_used() -> None:
    layer = drawn(lambda canvas: lines(canvas, [f"Total {chr(0xE001)}{chr(0xE002)} roubles"]))
    assert layer.flaw == "The meaning of many characters is not known."


def with_meanings(pdf: bytes, meanings: dict[str, str]) -> bytes:
    """Give the codes of characters the meaning of others, in the fonts of a PDF."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        for font in document.pages[0].Resources.Font.values():
            if "/ToUnicode" in font:
                said = font.ToUnicode.read_bytes()
                pattern = "|".join(f"<{ord(character):04X}>" for character in meanings)
                font.ToUnicode.write(
                    re.sub(pattern.encode(), lambda found: meaning(found[0], meanings), said)
                )
        changed = io.BytesIO()
        document.save(changed)
    return changed.getvalue()


def meaning(code: bytes, meanings: dict[str, str]) -> bytes:
    return f"<{ord(meanings[chr(int(code[1:-1], 16))]):04X}>".encode()


@pytest.mark.parametrize("meanings", [{"3": "5", "5": "3"}, {"3": "5"}, {"6": "9"}, {"0": "1", "1": "0"}])
def test_digits_that_look_like_others_are_not_used(meanings: dict[str, str]) -> None:
    text = "Итого к оплате 38 400 рублей, счёт № 126"

    def draw(canvas: Canvas) -> None:
        lines(canvas, [text])

    pdf = pdf_of(draw)
    assert layer_of(pdf).is_usable
    layer = layer_of(with_meanings(pdf, meanings))
    assert layer.text == "".join(meanings.get(character, character) for character in text)
    assert layer.flaw == "Digits look like other ones than the file says."


@pytest.mark.parametrize("font", STANDARD)
def test_digits_of_usual_fonts_look_like_digits(font: str) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, 10)
        lines(canvas, ["0123456789"])

    assert layer_of(pdf_of(draw)).is_usable


def test_bullets_of_symbol_fonts_are_bullets() -> None:
    style = Style(source=0, size=10, angle=0, bold=False, italic=False, is_visible=True, is_white=False)
    [frame] = frames_of([Piece("\uf0b7", 0, (0, 0), (5, 0), style)])
    assert [run.text for run in frame.runs] == ["•"]


def test_parts_with_other_text_are_named() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        picture(canvas, Image.new("L", (300, 100), 200), (72, 400, 300, 100))
        picture(canvas, Image.new("L", (8, 8), 0), (500, 700, 5, 5))
        canvas.acroForm.textfield(name="name", value="Ivanov", x=72, y=300, width=120, height=20)
        canvas.acroForm.textfield(name="empty", x=72, y=250, width=120, height=20)
        canvas.acroForm.checkbox(name="agreed", checked=True, x=72, y=200, size=20)

    layer = drawn(draw)
    assert layer.is_usable
    scale = 150 / 72
    found = [tuple(round(edge / scale) for edge in box) for box in layer.pictures]
    assert found == [(72, 342, 372, 442), (72, 522, 192, 542)]


@pytest.mark.parametrize(
    ("size", "unit"),
    [
        pytest.param((8.5, 11), None, id="tiny"),
        pytest.param((8.5, 11), 72, id="inches"),
        pytest.param(A4, None, id="A4"),
    ],
)
async def test_scan_is_found_on_a_page_in_other_units(size: tuple[float, float], unit: int | None) -> None:
    def draw(canvas: Canvas) -> None:
        picture(canvas, Image.new("L", (200, 100)), (size[0] / 4, size[1] / 4, size[0] / 4, size[1] / 9))

    with pikepdf.open(io.BytesIO(pdf_of(draw, size=size))) as document:
        if unit:
            document.pages[0].UserUnit = unit
        document.save(saved := io.BytesIO())
    async with open_document(saved.getvalue(), dpi=72, mode="L", limits=LIMITS) as opened:
        layer = await opened.text_layer(1)
    assert layer is not None and len(layer.pictures) == 1 and not layer.is_usable


def test_page_with_a_speck_is_not_blank() -> None:
    def draw(canvas: Canvas) -> None:
        picture(canvas, Image.new("L", (200, 100)), (100, 100, 4, 2))

    layer = drawn(draw)
    assert (layer.pictures, layer.is_blank) == ((), False)


def test_letters_drawn_as_shapes_are_named() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, LEFT)
        for number in range(20):
            path = canvas.beginPath()
            left = 72 + 9 * number
            path.moveTo(left, 300)
            for step in range(5):
                path.curveTo(left + step, 303, left + 4, 306 + step, left + 6, 300 + step)
                path.lineTo(left + step, 310)
            canvas.drawPath(path, stroke=0, fill=1)

    assert len(drawn(draw).pictures) == 1


SHAPE, TEXT = b"0 0 m 8 0 l 8 20 l f", b"BT /F1 12 Tf (approved) Tj ET"


@pytest.mark.parametrize(
    ("kind", "content", "is_named"),
    [
        ("Stamp", SHAPE, True),
        ("FreeText", SHAPE, True),
        ("Square", SHAPE, False),
        ("Highlight", SHAPE, False),
        ("Highlight", TEXT, True),
        ("Popup", TEXT, False),
    ],
)
def test_annotations_with_text_are_named(kind: str, content: bytes, is_named: bool) -> None:
    pdf = pikepdf.open(io.BytesIO(pdf_of(lambda canvas: lines(canvas, LEFT))))
    shape = pdf.make_stream(content, Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 90, 30])
    shape.Resources = pdf.pages[0].Resources
    stamp = Dictionary(
        Type=Name.Annot, Subtype=Name(f"/{kind}"), Rect=[72, 300, 162, 330], F=4, AP=Dictionary(N=shape)
    )
    pdf.pages[0].Annots = pdf.make_indirect(Array([pdf.make_indirect(stamp)]))
    stamped = io.BytesIO()
    pdf.save(stamped)
    assert bool(layer_of(stamped.getvalue()).pictures) is is_named


def test_blank_page_needs_no_recognition() -> None:
    layer = drawn(lambda canvas: None)
    assert layer.is_blank
    assert layer.is_usable
    assert not drawn(lambda canvas: canvas.circle(200, 200, 50)).is_usable


def test_font_that_is_not_embedded_has_its_text() -> None:
    layer = layer_of(pdf_of_lines(["ArialMT"], "Накладная номер 4471 принята", by_differences))
    assert layer.text == "Накладная номер 4471 принята"


def spaced(content: str, to_unicode: str = "") -> str:
    """Return the text of a page with this content, in Times of 10 points.

    to_unicode: lines of the map of the font that give the meanings of codes.
    """
    page = pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 100] /Contents 4 0 R "
            b"/Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Times-Roman "
            b"/Encoding /WinAnsiEncoding /ToUnicode 5 0 R >> >> >> >>",
            pdf_stream("", f"BT /F 10 Tf 20 50 Td {content} ET".encode()),
            pdf_stream("", f"1 beginbfchar {to_unicode} endbfchar".encode()),
        ]
    )
    return layer_of(page).text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(
            "(B) Tj 2.8 Tc 6.67 0 Td (yd) Tj 0 Tc 12.8 0 Td (efault, bash reads) Tj",
            "By default, bash reads",
            id="two letters",
        ),
        pytest.param(
            "0 1 -1 0 50 5 Tm (B) Tj 2.8 Tc 6.67 0 Td (yd) Tj 0 Tc 12.8 0 Td (efault, bash) Tj",
            "By default, bash",
            id="turned",
        ),
        pytest.param(
            "(invoke) Tj 2.9 Tc 28.3 0 Td [(da)290(sa)290(ni)] TJ 0 Tc 34.2 0 Td (nteractive shell) Tj",
            "invoked as an interactive shell",
            id="several words",
        ),
        pytest.param("2.5 Tc (12) Tj 0 Tc 15 0 Td (of the) Tj", "1 2 of the", id="as wide as the next blank"),
        pytest.param("3 Tc (OF MEN) Tj 0 Tc 0 -20 Td (of men) Tj", "OF MEN\nof men", id="letter spacing"),
        pytest.param("3 Tc (NOTE) Tj 0 Tc 50 0 Td (of the men) Tj", "NOTE of the men", id="spaced label"),
        pytest.param("(Chapter) Tj 3 Tc 34 0 Td (.....) Tj", "Chapter .....", id="dots"),
        pytest.param("[(A)70(V)110(A)-120(T)80(o)] TJ", "AVATo", id="kerning"),
    ],
)
def test_gap_as_wide_as_a_blank_is_a_blank(content: str, text: str) -> None:
    assert spaced(content) == text


def test_characters_outside_of_the_basic_plane_shift_no_others() -> None:
    text = spaced("(Let x be a prime, and x its square; both are at most 25.) Tj", "<78> <D835DC65>")
    assert text == "Let \U0001d465 be a prime, and \U0001d465 its square; both are at most 25."


def test_words_beside_a_large_initial_stay_apart() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont(HEADING, 90)
        canvas.drawString(72, 700, "A")
        canvas.setFont("Body", 10)
        canvas.drawString(160, 700, "harbour was quiet when the")

    assert drawn(draw).text == "A harbour was quiet when the"
