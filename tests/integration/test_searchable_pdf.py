"""A word of a searchable PDF is found where it is seen, in Poppler and in PDFium."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import httpx
import pypdfium2 as pdfium
import pytest

from ocr_service.core.documents import Word
from tests.samples import RUSSIAN, encoded, pdf_of_images
from tests.typesetting import LEADING, Sheet

DPI = 200
POINT = DPI / 72
Centre = tuple[str, float, float]
ENGLISH = "The supplier delivers the goods within 14 days after the order of the buyer."


def sheet() -> Sheet:
    made = Sheet((1654, 1100))
    made.write("Договор поставки № 17", 827, 90, face="Serif-Bold", size=48, anchor="m")
    y = 200.0
    for text in (*RUSSIAN[:2], ENGLISH):
        y = made.paragraph(text, y) + LEADING
    return made


def centres(words: Iterable[Word]) -> list[Centre]:
    boxes = [(word.text, word.bbox) for word in words]
    return [(text, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for text, box in boxes]


def by_poppler(data: bytes, folder: Path) -> list[Centre]:
    """The words with their centres in pixels."""
    (folder / "a.pdf").write_bytes(data)
    command = ["pdftotext", "-bbox", str(folder / "a.pdf"), "-"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</word>', listed)
    return [
        (text, POINT * (float(x0) + float(x1)) / 2, POINT * (float(y0) + float(y1)) / 2)
        for x0, y0, x1, y1, text in found
    ]


def by_pdfium(data: bytes, wanted: Iterable[str]) -> list[Centre]:
    """All places where these words are found, as in a search of a viewer."""
    page = pdfium.PdfDocument(data)[0]
    text, height, found = page.get_textpage(), page.get_height(), []
    for word in set(wanted):
        search = text.search(word, match_whole_word=True)
        while place := search.get_next():
            boxes = [text.get_charbox(at, loose=True) for at in range(place[0], sum(place))]
            left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
            bottom, top = min(box[1] for box in boxes), max(box[3] for box in boxes)
            found.append((word, POINT * (left + right) / 2, POINT * (height - (bottom + top) / 2)))
    return found


def share_in_place(seen: list[Centre], found: list[Centre]) -> float:
    """Share of the words that are found within half a line of their place."""
    near = LEADING / 2
    in_place = [
        any(text == word and abs(x - left) <= near and abs(y - top) <= near for word, left, top in found)
        for text, x, y in seen
    ]
    return sum(in_place) / len(in_place)


@pytest.mark.parametrize("kind", ["PNG", "PDF", "turned PNG"])
def test_word_is_found_where_it_is_seen(service: httpx.Client, kind: str, tmp_path: Path) -> None:
    page = sheet()
    seen = centres(word for line in page.lines for word in line.words)
    scan = encoded(page.image, "PNG", dpi=(DPI, DPI))
    if kind == "PDF":
        scan = pdf_of_images([page.image], dpi=DPI)
    elif kind == "turned PNG":
        scan = encoded(page.image.rotate(90, expand=True), "PNG", dpi=(DPI, DPI))
    answer = service.post("/ocr", files={"file": scan}, data={"format": "pdf"}).raise_for_status().content
    if kind == "turned PNG":
        # The page stays as it is. People turn it in their viewer, as here.
        document = pdfium.PdfDocument(answer)
        document[0].set_rotation(90)
        document.save(tmp_path / "turned.pdf")
        answer = (tmp_path / "turned.pdf").read_bytes()
    else:
        words = [text for text, _, _ in seen if text.isalnum()]
        by_search = [place for place in seen if place[0] in words]
        assert share_in_place(by_search, by_pdfium(answer, words)) >= 0.95
    assert share_in_place(seen, by_poppler(answer, tmp_path)) >= 0.95
