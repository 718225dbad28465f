"""Word files opened by LibreOffice, and the text of its pages compared with that of the result.

LibreOffice is not among the packages of `make test`: `make check-docx` installs it.
"""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.errors import RecognitionFailed
from ocr_service.exports.docx import to_docx

pytestmark = pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")

# As Tesseract writes it, and as PaddleOCR-VL does: with HTML and LaTeX.
TESSERACT = """# Договор поставки № 17

Поставщик **обязуется** передать товар.

- бумага офисная, 120 пачек;
- картриджи, 14 штук.

| Товар | Цена |
|---|---|
| Бумага | 1 200,00 |
| Картридж | 3 450,50 |
"""
PADDLEOCR_VL = r"""<div style="text-align: center;"># Отчёт</div>

## Раздел 1

<table border=1><tr><td rowspan="2">Год</td><td colspan="2">Объём</td></tr><tr><td>план</td><td>факт</td></tr>
<tr><td>2025</td><td>100</td><td>97</td></tr></table>

Пусть $a_{1}=x^{2}$, тогда

$$\frac{a_{1}}{47}$$

<div style="text-align: center;"><img src="imgs/a.jpg" alt="Image" width="40%" /></div>

Конец.
"""


def pages_in_libreoffice(pages: tuple[PageResult, ...], formulas: bool, folder: Path) -> list[str]:
    """Return the text of each page as LibreOffice lays it out."""
    result = DocumentResult(pages, Timings(), total=0.0)
    (folder / "a.docx").write_bytes(to_docx(result, "Title", formulas))
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", "pdf", "--outdir", str(folder)]
    subprocess.run([*command, str(folder / "a.docx")], check=True, capture_output=True, timeout=120)
    text = subprocess.run(
        ["pdftotext", "-layout", str(folder / "a.pdf"), "-"], check=True, capture_output=True, text=True
    ).stdout
    return [re.sub(r"\s+", " ", page).strip() for page in text.split("\f")[:-1]]


def in_order(text: str, parts: list[str]) -> bool:
    """Whether the text has all of these parts, one after the other."""
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def test_text_of_tesseract_is_shown(tmp_path: Path) -> None:
    first = PageResult(1, 10, 10, TESSERACT, TESSERACT, ())
    failed = PageResult(2, 0, 0, "", "", (), failure=RecognitionFailed("The engine stopped."))
    pages = pages_in_libreoffice((first, failed), False, tmp_path)
    assert len(pages) == 2
    heading, text = "Договор поставки № 17", "Поставщик обязуется передать товар."
    lists = ["бумага офисная, 120 пачек;", "картриджи, 14 штук."]
    assert in_order(pages[0], [heading, text, *lists, "Товар", "Бумага", "1 200,00", "Картридж", "3 450,50"])
    assert pages[1] == "Page 2 was not read: The engine stopped."


def test_tables_formulas_and_pictures_of_paddleocr_vl_are_shown(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (300, 100), "red").save(picture, "JPEG")
    images = {"imgs/a.jpg": picture.getvalue()}
    page = PageResult(1, 10, 10, PADDLEOCR_VL, PADDLEOCR_VL, (), images=images)
    [text] = pages_in_libreoffice((page,), True, tmp_path)
    assert in_order(text, ["Раздел 1", "Объём", "план факт", "2025", "97", "Пусть", "тогда", "47", "Конец."])
    listed = subprocess.run(
        ["pdfimages", "-list", str(tmp_path / "a.pdf")], check=True, capture_output=True, text=True
    ).stdout
    assert len(listed.splitlines()) == 3
