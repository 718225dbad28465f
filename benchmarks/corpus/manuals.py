"""Real pages: manuals that packages of Debian ship as PDFs with a text layer.

Their truth is the text of pdftotext, a program independent of the service.
"""

import gzip
import io
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pypdfium2 as pdfium

from benchmarks import say
from benchmarks.corpus import FOLDER

PACKAGES = {
    "en": ("debian-faq", "developers-reference", "libtasn1-doc", "gpsbabel-doc", "bash-doc"),
    "ru": ("debian-faq-ru", "developers-reference-ru", "maint-guide-ru", "instead-doc-ru"),
}
# PDFium writes them into each file that it saves.
_TIME_AND_IDENTITY = re.compile(rb"(?<=\(D:)\d{14}|(?<=<)[0-9A-F]{32}(?=>)")
_MOST_DOTS = 0.08
_FEWEST_WORDS, _FEWEST_LETTERS = 120, 0.6


@dataclass(frozen=True, slots=True)
class ManualPage:
    """A page of a manual as a PDF of its own, and its text."""

    pdf: bytes
    text: str


def pages(language: str, count: int, random: Random) -> list[ManualPage]:
    """Return pages of running text, as many of each manual."""
    manuals = [manual for package in PACKAGES[language] for manual in _manuals(package)]
    if not manuals:
        say(f"no manuals in {language}: Debian's packages are not available")
    chosen: list[ManualPage] = []
    supplies = [_good_pages(manual, language, random) for manual in manuals]
    while len(chosen) < count and supplies:
        for supply in list(supplies):
            page = next(supply, None)
            if page is None:
                supplies.remove(supply)
            elif len(chosen) < count:
                chosen.append(page)
    return chosen


def _manuals(package: str) -> Iterator[bytes]:
    folder = FOLDER / "packages" / package
    if not folder.exists():
        try:
            _download(package, folder)
        except (OSError, subprocess.CalledProcessError):
            say(f"the package {package} is not available; other manuals take its place")
    seen = set()
    for file in sorted(folder.rglob("*.pdf*")):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        if file.is_symlink() or len(data) in seen:
            continue
        seen.add(len(data))
        yield data


def _download(package: str, folder: Path) -> None:
    """Unpack the package without its installation; raises CalledProcessError, or OSError without apt."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        # Root downloads into a folder that the user of apt cannot write.
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(place).glob("*.deb")
        unpacked = Path(place) / "unpacked"
        subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
        unpacked.rename(folder)


def _good_pages(manual: bytes, language: str, random: Random) -> Iterator[ManualPage]:
    document = pdfium.PdfDocument(manual)
    for index in random.sample(range(len(document)), len(document)):
        page = _page_alone(document, index)
        text = _text_of(page)
        if _is_running_text(text, language):
            yield ManualPage(page, text)


def _page_alone(document: pdfium.PdfDocument, index: int) -> bytes:
    single = pdfium.PdfDocument.new()
    single.import_pages(document, [index])
    file = io.BytesIO()
    single.save(file)
    single.close()
    return _TIME_AND_IDENTITY.sub(lambda found: b"1" * len(found[0]), file.getvalue())


def _text_of(pdf: bytes) -> str:
    run = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True)
    return run.stdout.decode().replace("\f", "\n").strip()


def _is_running_text(text: str, language: str) -> bool:
    """Return whether a page has enough words of its language, and is no table of contents."""
    letters = [letter for letter in text if letter.isalpha()]
    cyrillic = sum("\u0400" <= letter <= "\u04ff" for letter in letters)
    share = cyrillic / max(1, len(letters))
    right_script = share > 0.7 if language == "ru" else cyrillic == 0
    enough = len(text.split()) >= _FEWEST_WORDS and len(letters) >= _FEWEST_LETTERS * len(text)
    return right_script and enough and text.count(".") < _MOST_DOTS * len(text) and "\ufffd" not in text
