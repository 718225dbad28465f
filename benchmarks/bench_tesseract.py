"""Pages per second for a scan of 12 pages: the service over HTTP, bare tesserocr, and OCRmyPDF, in one run.

All contenders get the same PDF and languages, and one worker per core; each renders the pages itself at 300
dpi. They take turns, so that changes in machine speed affect all of them. Ratios are taken per turn, and the
median counts.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pypdfium2 as pdfium
import tesserocr
from PIL import Image

from benchmarks import say, seconds
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningService
from tests.samples import ENGLISH, RUSSIAN, pdf_of_images, printed_page

PAGES = 12
TURNS = 5
DPI = 300
LANGUAGES = "rus+eng"
TESSDATA = "/usr/share/tesseract-ocr/5/tessdata/"
WORKERS = usable_cores()


def scanned_pages() -> list[Image.Image]:
    """Draw 12 full pages, alternately Russian and English, with one and two columns."""
    pages = []
    for number in range(PAGES):
        texts = RUSSIAN if number % 2 else ENGLISH
        columns = 1 + number // 2 % 2
        paragraphs = [texts[(number + n) % len(texts)] for n in range(8 // columns)]
        pages.append(printed_page(paragraphs, columns, f"{number + 1}. Title").image)
    return pages


class BareTesserocr:
    """Tesseract with only threads and the lock that PDFium needs; its models stay loaded."""

    def __init__(self) -> None:
        self._workers = ThreadPoolExecutor(WORKERS)
        self._rendering = threading.Lock()
        self._local = threading.local()

    def read(self, data: bytes) -> None:
        """Read all pages; several threads may call it."""
        with self._rendering:
            document = pdfium.PdfDocument(data)
            pages = range(len(document))
        assert all(self._workers.map(lambda index: self._read_page(document, index), pages))
        with self._rendering:
            document.close()

    def _read_page(self, document: pdfium.PdfDocument, index: int) -> str:
        if not hasattr(self._local, "api"):
            self._local.api = tesserocr.PyTessBaseAPI(TESSDATA, LANGUAGES)
        with self._rendering:
            image = document[index].render(scale=DPI / 72, grayscale=True).to_pil().copy()
        self._local.api.SetImageBytes(image.tobytes(), *image.size, 1, image.width)
        self._local.api.SetSourceResolution(DPI)
        return str(self._local.api.GetUTF8Text())


def ocrmypdf(data: bytes) -> None:
    """Make a searchable PDF and a text file with OCRmyPDF, without image optimisation."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.pdf")
        source.write_bytes(data)
        options = ["--jobs", str(WORKERS), "-l", LANGUAGES, "--output-type", "pdf", "--optimize", "0"]
        text, target = Path(folder, "out.txt"), Path(folder, "out.pdf")
        command = ["ocrmypdf", *options, "--quiet", "--sidecar", str(text), str(source), str(target)]
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        assert text.stat().st_size


def over_http(client: httpx.Client, data: bytes) -> None:
    """Send the PDF in one request."""
    answer = client.post("/ocr", files={"file": data}).raise_for_status().json()
    assert len(answer["pages"]) == PAGES and all(page["text"] for page in answer["pages"])


def main() -> None:
    """Run all contenders and print the table."""
    if shutil.which("ocrmypdf") is None:
        sys.exit("OCRmyPDF is not installed: make bench-tesseract installs it")
    say("drawing the pages")
    data = pdf_of_images(scanned_pages(), DPI)
    bare = BareTesserocr()
    with RunningService() as service:
        contenders: dict[str, Callable[[], None]] = {
            "this service, over HTTP": lambda: over_http(service.client, data),
            "bare tesserocr": lambda: bare.read(data),
            "OCRmyPDF": lambda: ocrmypdf(data),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(TURNS + 1):
            for name, call in contenders.items():
                spent = seconds(call)
                say(f"turn {turn} of {TURNS}: {name}: {spent:.2f} s")
                # Turn 0 warms caches and is not measured.
                if turn:
                    taken[name].append(spent)
    print_table(taken)


def print_table(taken: dict[str, list[float]]) -> None:
    """Print pages per second, and the ratio of the service to each contender."""
    ours = taken["this service, over HTTP"]
    print(f"\n{PAGES} pages, {WORKERS} workers, {TURNS} turns\n")
    print("| | pages/s (median) | min | max | this service / this (median of turns) |")
    print("|---|---|---|---|---|")
    for name, times in taken.items():
        speeds = [PAGES / spent for spent in times]
        ratio = statistics.median(theirs / own for own, theirs in zip(ours, times, strict=True))
        median = statistics.median(speeds)
        print(f"| {name} | {median:.2f} | {min(speeds):.2f} | {max(speeds):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
