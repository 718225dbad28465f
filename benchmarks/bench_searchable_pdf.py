"""Searchable PDFs beside OCRmyPDF: size, CPU time of the writing, and which parts of the document are kept.

`make bench-pdf`. The variable OCRMYPDF names another program than that of Debian. Neither recognizes text:
OCRmyPDF stops its recognition at once, and the service is given words.
"""

import io
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pikepdf
from pikepdf import Dictionary, Name
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from ocr_service.core.documents import Block, DocumentResult, PageResult, Timings, Word
from ocr_service.core.errors import NotArchivable
from ocr_service.decoding.limits import Limits
from ocr_service.exports.pdf.document import write
from ocr_service.exports.pdf.page_text import text_of
from ocr_service.exports.pdf.requests import Order

OCRMYPDF = os.environ.get("OCRMYPDF", "ocrmypdf")
LIMITS = Limits(100_000_000, 30_000)
PAGES = 10
SIZE = (1654, 2339)
FONT = ImageFont.truetype("/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf", 33)
LINE = "The quick brown fox jumps over the lazy dog, and the dog sleeps on."


def scan() -> Image.Image:
    """Return a page of 200 dpi."""
    page = Image.new("L", SIZE, 255)
    pen = ImageDraw.Draw(page)
    for line in range(45):
        pen.text((150, 120 + 45 * line), LINE, font=FONT, fill=0)
    return page


def scans() -> bytes:
    """Return a PDF of scans."""
    file = io.BytesIO()
    scan().save(file, "PDF", save_all=True, append_images=[scan()] * (PAGES - 1), resolution=200)
    return file.getvalue()


def document_with_form() -> bytes:
    """Return a PDF with a font that is not embedded, and with a link, a bookmark and a field on each page."""
    file = io.BytesIO()
    canvas = Canvas(file)
    for number in range(PAGES):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(f"Page {number}", str(number))
        canvas.drawString(72, 700, LINE)
        canvas.linkURL("https://example.org", (72, 690, 200, 710))
        canvas.acroForm.textfield(name=f"field{number}", x=72, y=600, width=200, height=20)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def result() -> DocumentResult:
    """Return words in the places where they are on a scan."""
    boxes = [(150 + 110 * at, 120 + 45 * line) for line in range(45) for at in range(13)]
    words = tuple(Word("words", (x, y, x + 100, y + 33), 0.9) for x, y in boxes)
    block = Block("text", (150, 120, 1600, 2200), "", 1, 0.9, words=words)
    pages = tuple(PageResult(number + 1, *SIZE, "", "", (block,)) for number in range(PAGES))
    return DocumentResult(pages, Timings(), total=0.0)


def by_service(data: bytes, archival: bool) -> tuple[bytes | None, float]:
    """Return the file, or None if it is refused, and seconds of CPU time."""
    pages = tuple(map(text_of, result().pages))
    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        made, _ = write(Order("PDF", pages, archival, LIMITS), data)
    except NotArchivable:
        made = None
    after = resource.getrusage(resource.RUSAGE_SELF)
    return made, _cpu(after) - _cpu(before)


def by_ocrmypdf(data: bytes, archival: bool) -> tuple[bytes | None, float]:
    """Return the same for OCRmyPDF."""
    with tempfile.TemporaryDirectory() as name:
        source, made = Path(name, "in.pdf"), Path(name, "out.pdf")
        source.write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # It refuses to add text to a page of a form.
        mode = "--skip-text" if b"/AcroForm" in data else "--redo-ocr"
        options = ["--quiet", mode, "--tesseract-timeout", "0"]
        options += ["--optimize", "0", "--output-type", "pdfa-2" if archival else "pdf"]
        done = subprocess.run([OCRMYPDF, *options, source, made], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # 10: the file is there, and is not PDF/A.
        content = made.read_bytes() if done.returncode in (0, 10) else None
        return content, _cpu(after) - _cpu(before)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def kept(before: bytes, after: bytes) -> Mapping[str, bool]:
    """Whether the file has as many of these parts as the document."""
    with pikepdf.open(io.BytesIO(before)) as old, pikepdf.open(io.BytesIO(after)) as new:
        return {name: count(new) == count(old) for name, count in _COUNTS.items() if count(old)}


def _bookmarks(pdf: pikepdf.Pdf) -> int:
    with pdf.open_outline() as outline:
        return len(outline.root)


def _pictures(pdf: pikepdf.Pdf) -> int:
    """Return the bytes of all pictures as files."""
    streams = [each for each in pdf.objects if isinstance(each, pikepdf.Stream)]
    pictures = [each for each in streams if each.get("/Subtype") == Name.Image]
    files = [io.BytesIO() for _ in pictures]
    for picture, file in zip(pictures, files, strict=True):
        pikepdf.PdfImage(picture).extract_to(stream=file)
    return sum(len(file.getvalue()) for file in files)


def _fields(pdf: pikepdf.Pdf) -> int:
    return len(pdf.Root.get("/AcroForm", Dictionary()).get("/Fields", []))


def _links(pdf: pikepdf.Pdf) -> int:
    notes = [note for page in pdf.pages for note in page.obj.get("/Annots", [])]
    return sum(note.get("/Subtype") == Name.Link for note in notes)


_COUNTS: Mapping[str, Callable[[pikepdf.Pdf], int]] = {
    "links": _links,
    "fields": _fields,
    "bookmarks": _bookmarks,
    "pictures": _pictures,
}


def main() -> None:
    """Print a line for each document, program and form."""
    version = subprocess.run([OCRMYPDF, "--version"], capture_output=True, text=True, check=True).stdout
    print(f"OCRmyPDF {version.strip()}, pikepdf {pikepdf.__version__}; {PAGES} pages")
    # The first call imports the rules of PDF/A.
    by_service(scans(), archival=True)
    for name, data in {"scans": scans(), "form": document_with_form()}.items():
        for archival in (False, True):
            for program in (by_service, by_ocrmypdf):
                made, seconds = program(data, archival)
                parts = kept(data, made) if made else "refused"
                size = f"{len(made) / len(data):.2f}" if made else "-"
                form = "pdfa" if archival else "pdf"
                milliseconds = 1000 * seconds / PAGES
                print(f"{name:6} {form:5} {program.__name__:12} size x {size}", end=" ")
                print(f"{milliseconds:.0f} ms of CPU a page; kept: {parts}")


if __name__ == "__main__":
    main()
