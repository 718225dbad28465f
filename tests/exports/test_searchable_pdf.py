"""The text of a searchable PDF, read back by Poppler and by PDFium."""

import io
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import Array, Dictionary, Name

from ocr_service.core.documents import Block, PageResult, TextSource
from ocr_service.core.errors import BrokenDocument, EncryptedPdf, NotArchivable, RecognitionFailed
from ocr_service.decoding.limits import Limits
from ocr_service.exports.pdf.document import SIGNATURE_ENDED, write
from ocr_service.exports.pdf.page_text import PageText, PlacedText, text_of
from ocr_service.exports.pdf.requests import Order

# In pixels of a page of 600 x 800 points that is drawn with 144 pixels per inch.
WORD = PlacedText("Договор", (200, 300, 500, 360))
SIZE = (1200, 1600)
LIMITS = Limits(10_000_000, 10_000)


def pdf(
    turn: int = 0, box: tuple[int, int, int, int] = (0, 0, 600, 800), contents: bytes = b"", pages: int = 1
) -> pikepdf.Pdf:
    """A PDF whose pages are shown with 600 x 800 points."""
    made = pikepdf.new()
    for _ in range(pages):
        page = made.add_blank_page(page_size=(10, 10)).obj
        left, bottom, right, top = box
        width, height = (right - left, top - bottom) if turn % 180 == 0 else (top - bottom, right - left)
        page.MediaBox = Array([left, bottom, left + width, bottom + height])
        page.Rotate = turn
        page.Contents = made.make_stream(contents)
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        page.Resources = Dictionary(Font=Dictionary(F=font))
    return made


def saved(made: pikepdf.Pdf, **options: Any) -> bytes:
    file = io.BytesIO()
    made.save(file, **options)
    return file.getvalue()


def added(*pieces: PlacedText, index: int = 1, rotation: int = 0, notes: tuple[str, ...] = ()) -> PageText:
    width, height = SIZE if rotation % 180 == 0 else SIZE[::-1]
    return PageText(index, width, height, rotation, pieces, notes)


def written(data: bytes, *pages: PageText, archival: bool = False, password: str | None = None) -> bytes:
    return write(Order("PDF", pages, archival, LIMITS, password), data)[0]


def searchable(made: pikepdf.Pdf, *pieces: PlacedText, rotation: int = 0) -> bytes:
    return written(saved(made), added(*pieces, rotation=rotation))


def words(data: bytes, folder: Path) -> list[tuple[str, list[int]]]:
    """The words that Poppler finds, with their boxes in points of the page as it is shown."""
    (folder / "a.pdf").write_bytes(data)
    found = subprocess.run(
        ["pdftotext", "-bbox", folder / "a.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    boxes = re.findall(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</word>', found)
    return [(text, [round(float(edge)) for edge in edges]) for *edges, text in boxes]


def look(data: bytes, index: int = 0) -> bytes:
    pixels: bytes = pdfium.PdfDocument(data)[index].render().to_pil().tobytes()
    return pixels


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
@pytest.mark.parametrize("corner", [(0, 0), (100, -50)])
def test_word_is_found_where_it_is_seen(turn: int, corner: tuple[int, int], tmp_path: Path) -> None:
    made = pdf(turn, (*corner, corner[0] + 600, corner[1] + 800))
    assert words(searchable(made, WORD), tmp_path) == [("Договор", [100, 150, 250, 180])]


@pytest.mark.parametrize(
    ("rotation", "box"),
    [(90, (420, 550, 450, 700)), (180, (350, 150, 500, 180)), (270, (150, 100, 180, 250))],
)
def test_page_that_the_engine_turned_keeps_its_places(rotation: int, box: tuple[int, ...]) -> None:
    """The boxes are those of the turned page; the PDF stays as it was."""
    page = pdfium.PdfDocument(searchable(pdf(), WORD, rotation=rotation))[0].get_textpage()
    corners = [page.get_charbox(at, loose=True) for at in range(page.count_chars())]
    left, bottom = (min(corner[side] for corner in corners) for side in (0, 1))
    right, top = (max(corner[side] for corner in corners) for side in (2, 3))
    assert (left, bottom, right, top) == pytest.approx(box, abs=1)


def test_turn_of_a_page_can_be_a_real_number() -> None:
    whole, real = pdf(90), pdf(90)
    real.pages[0].obj.Rotate = Decimal("90.0")
    both = [pikepdf.open(io.BytesIO(searchable(made, WORD))) for made in (whole, real)]
    contents = [made.pages[0].Contents[0].read_bytes() for made in both]
    assert contents[0] == contents[1]


def test_contents_that_leave_the_coordinates_changed_do_not_move_the_text(tmp_path: Path) -> None:
    made = pdf(contents=b"q 2 0 0 2 50 50 cm")
    assert words(searchable(made, WORD), tmp_path) == [("Договор", [100, 150, 250, 180])]


def test_text_is_copied_by_pdfium_too() -> None:
    data = searchable(pdf(), WORD, PlacedText("№ 17 — «Ёж» 😀", (520, 300, 800, 360)))
    page = pdfium.PdfDocument(data)[0].get_textpage()
    assert page.get_text_bounded() == "Договор № 17 — «Ёж» 😀"
    assert page.search("договор").get_next() is not None


def test_page_looks_as_before() -> None:
    made = pdf(contents=b"q 1 0 0 rg 2 0 0 2 0 0 cm 50 50 100 100 re f BT /F 20 Tf 30 200 Td (seen) Tj ET")
    before = saved(made)
    assert look(before) == look(searchable(made, WORD))


def test_hidden_text_of_an_earlier_ocr_is_replaced(tmp_path: Path) -> None:
    old = b"""q BT 3 Tr /F 20 Tf 100 600 Td (wrong) Tj (worse) ' 1 2 (worst) " ET Q
        BT /F 20 Tf 100 100 Td (seen) Tj ET"""
    before, after = pdf(contents=old), searchable(pdf(contents=old), WORD)
    assert sorted(text for text, _ in words(after, tmp_path)) == ["seen", "Договор"]
    assert look(saved(before)) == look(after)


def test_hidden_text_in_a_form_is_replaced_on_this_page_alone(tmp_path: Path) -> None:
    """OCRmyPDF has its text in a form, here in two of them; another page uses the same."""
    made = pdf(contents=b"q /Outer Do Q", pages=2)
    font = made.pages[0].obj.Resources.Font
    values = {"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 600, 800])}
    text = b"BT 3 Tr /F 20 Tf 100 600 Td (wrong) Tj ET BT /F 20 Tf 0 Tr 100 100 Td (seen) Tj ET"
    inner = made.make_stream(text, values | {"/Resources": Dictionary(Font=font)})
    resources = Dictionary(XObject=Dictionary(Inner=inner))
    outer = made.make_stream(b"/Inner Do", values | {"/Resources": resources})
    for page in made.pages:
        page.obj.Resources.XObject = Dictionary(Outer=outer)
    data = written(saved(made), added(WORD), added(index=2))
    assert sorted(text for text, _ in words(data, tmp_path)) == ["seen", "seen", "wrong", "Договор"]
    assert look(saved(made)) == look(data)


def test_hidden_text_stays_if_seen_text_follows_it_without_a_place_of_its_own(tmp_path: Path) -> None:
    made = pdf(contents=b"BT /F 20 Tf 100 600 Td 3 Tr (1.) Tj 0 Tr (seen) Tj ET")
    before, after = saved(made), searchable(made, WORD)
    assert look(before) == look(after)
    assert sorted(text for text, _ in words(after, tmp_path)) == ["1.seen", "Договор"]


@pytest.mark.parametrize(
    "contents",
    [b"BT Tr ET", b"BT /F Tr ET", b'BT 3 Tr (a) " ET', b"3 Tr Do", b"BT 99999999999999999999 Tr ET"],
)
def test_contents_with_wrong_operands_stay_and_get_their_text(contents: bytes, tmp_path: Path) -> None:
    assert words(searchable(pdf(contents=contents), WORD), tmp_path)[0][0] == "Договор"


def test_fonts_of_the_page_keep_their_names(tmp_path: Path) -> None:
    data = searchable(pdf(contents=b"BT /F 20 Tf 60 60 Td (seen) Tj ET"), WORD)
    with pikepdf.open(io.BytesIO(data)) as made:
        [name] = made.pages[0].Resources.Font.keys() - {"/F"}
    # A page that has a font of its own with this name.
    same = pdf(contents=f"BT {name} 20 Tf 60 60 Td (seen) Tj ET".encode())
    fonts = same.pages[0].Resources.Font
    fonts[name] = fonts.F
    found = words(searchable(same, WORD), tmp_path)
    assert [text for text, _ in found] == [text for text, _ in words(data, tmp_path)] == ["Договор", "seen"]


def test_page_that_needs_no_change_has_none() -> None:
    old = saved(pdf(contents=b"BT 3 Tr /F 20 Tf 100 600 Td (old) Tj ET"))
    assert written(old, added()) == old


def test_page_has_its_note_and_keeps_its_annotations() -> None:
    made = pdf(turn=90)
    made.pages[0].obj.Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=[0, 0, 9, 9])])
    failed = PageResult(1, 0, 0, "", "", (), failure=RecognitionFailed("Es ging nicht."))
    with pikepdf.open(io.BytesIO(written(saved(made), text_of(failed)))) as opened:
        link, note = opened.pages[0].obj.Annots
        assert link.Subtype == Name.Link
        assert str(note.Contents) == "Page 1 was not read: Es ging nicht."
        assert [float(edge) for edge in note.Rect] == [0, 0, 18, 18]


def test_selected_pages_are_alone_in_the_file() -> None:
    made = pdf(contents=b"BT /F 20 Tf 100 100 Td (secret) Tj ET", pages=3)
    made.pages[1].obj.Contents = made.make_stream(b"BT /F 20 Tf 100 100 Td (open) Tj ET")
    with made.open_outline() as outline:
        outline.root.extend(pikepdf.OutlineItem(f"chapter {number}", number) for number in range(3))
    data = written(saved(made), added(WORD, index=2))
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert len(opened.pages) == 1
        streams = [each.read_bytes() for each in opened.objects if isinstance(each, pikepdf.Stream)]
        assert any(b"open" in stream for stream in streams)
        assert not any(b"secret" in stream for stream in streams)
        with opened.open_outline() as outline:
            assert [item.title for item in outline.root] == ["chapter 1"]


def test_signature_is_removed_and_reported() -> None:
    made = pdf()
    value = made.make_indirect(Dictionary(Type=Name.Sig, Contents=b"x"))
    field = made.make_indirect(Dictionary(FT=Name.Sig, T="one", V=value))
    field.Kids = Array([field])
    made.Root.AcroForm = Dictionary(Fields=Array([field]), SigFlags=3)
    signed = saved(made)
    data, was_signed = write(Order("PDF", (added(WORD),), False, LIMITS), signed)
    assert was_signed
    with pikepdf.open(io.BytesIO(data)) as opened:
        assert "/V" not in opened.Root.AcroForm.Fields[0] and "/SigFlags" not in opened.Root.AcroForm
        assert str(opened.pages[0].obj.Annots[0].Contents) == SIGNATURE_ENDED
    assert write(Order("PDF", (added(),), False, LIMITS), signed) == (signed, False)


@pytest.mark.parametrize("selected", [(1, 2), (2,)])
@pytest.mark.parametrize(("password", "revision"), [("geheim", 6), ("geheim", 3), ("", 4)])
def test_encrypted_pdf_stays_encrypted(password: str, revision: Any, selected: tuple[int, ...]) -> None:
    only_reading = pikepdf.Permissions(modify_other=False)
    encryption = pikepdf.Encryption(
        owner="owner", user=password, R=revision, allow=only_reading, aes=revision > 3, metadata=revision > 3
    )
    locked = saved(pdf(pages=2), encryption=encryption)
    pages = [added(WORD, index=index) for index in selected]
    data = written(locked, *pages, password=password or None)
    with pikepdf.open(io.BytesIO(data), password=password) as opened:
        assert opened.is_encrypted and not opened.allow.modify_other
    if password:
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(io.BytesIO(data))
        with pytest.raises(EncryptedPdf):
            written(locked, *pages, password="wrong")


def test_damaged_pdf_is_refused() -> None:
    with pytest.raises(BrokenDocument):
        written(b"%PDF-1.7 and nothing else", added(WORD))


def test_pdf_whose_pages_are_numbered_in_two_ways_is_refused() -> None:
    made = saved(pdf(pages=2), qdf=True)
    with pytest.raises(BrokenDocument, match="agree"):
        written(made.replace(b"/Count 2", b"/Count 1"), added(WORD))


def test_pdf_a_has_its_text_and_its_notes(tmp_path: Path) -> None:
    made = pdf(contents=b"0 0 99 99 re f")
    del made.pages[0].obj.Resources.Font
    # Of a slide show.
    made.pages[0].obj.Trans = Dictionary()
    made.Root.OpenAction = Array([made.pages[0].obj, Name.Fit])
    data = written(saved(made), added(WORD, notes=("Careful.",)), archival=True)
    assert [text for text, _ in words(data, tmp_path)] == ["Договор"]
    with pikepdf.open(io.BytesIO(data)) as opened:
        metadata = opened.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "B")
        assert len(opened.pages[0].obj.Annots) == 1


def test_pdf_that_cannot_become_pdf_a_is_refused_with_the_reason() -> None:
    fonts = saved(pdf(contents=b"BT /F 20 Tf 100 100 Td (seen) Tj ET"))
    with pytest.raises(NotArchivable, match="fonts that are not embedded"):
        written(fonts, added(WORD), archival=True)
    locked = saved(pdf(pages=2), encryption=pikepdf.Encryption(owner="o", user=""))
    for pages in ([added(WORD), added(index=2)], [added(WORD)]):
        with pytest.raises(NotArchivable, match="encrypted"):
            written(locked, *pages, archival=True)


def test_block_without_words_has_the_lines_that_fit_its_box() -> None:
    text = " ".join(["слово"] * 40)
    pieces = text_of(result(Block("text", (100, 100, 1100, 400), text, 1))).pieces
    assert " ".join(piece.text for piece in pieces) == text
    assert 2 <= len(pieces) <= 8
    assert (pieces[0].bbox[1], pieces[-1].bbox[3]) == (100, 400)


def test_rows_of_a_table_are_lines() -> None:
    table = "<table><tr><td>a</td><td>1</td></tr><tr><td>b &lt;</td><td>2</td></tr></table>"
    pieces = text_of(result(Block("table", (100, 100, 1100, 200), table, 1))).pieces
    assert [(piece.text, piece.bbox[1]) for piece in pieces] == [("a 1", 100), ("b < 2", 150)]


def test_page_with_its_own_text_gets_the_text_of_its_pictures_alone() -> None:
    own = Block("text", (0, 0, 100, 50), "own", 1, source=TextSource.TEXT_LAYER)
    read = Block("text", (0, 60, 100, 90), "read", 2)
    pieces = text_of(result(own, read)).pieces
    assert [piece.text for piece in pieces] == ["read"]


def result(*blocks: Block) -> PageResult:
    return PageResult(1, *SIZE, "", "", blocks)
