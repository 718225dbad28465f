"""The contenders: this service over HTTP, the command `tesseract`, and OCRmyPDF."""

import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import httpx
from PIL import Image

from benchmarks.accuracy.scores import Reading
from benchmarks.processes import cpu_seconds_of_tree
from tests.running import RunningService

LANGUAGES = "rus+eng"
_DPI = 300
# Below this, OCRmyPDF does not believe the resolution of a picture.
_LEAST_DPI = 75


class Contender(Protocol):
    """Reads files of one page.

    pictures_too: whether its reading of a picture can differ from that of the contender before it.
    """

    name: str
    pictures_too: bool

    def read(self, file: Path) -> Reading | None:
        """Read a page; None if the contender refuses it."""

    def cpu_seconds(self) -> float:
        """CPU seconds of all readings so far."""


class Service:
    """A running service; text_layer: value of the option of this name, or None for a service without it."""

    def __init__(self, name: str, service: RunningService, text_layer: str | None) -> None:
        self.name = name if text_layer is None else f"{name}, `{text_layer}`"
        self.pictures_too = text_layer != "auto"
        self._service = service
        self._form = {"lang": LANGUAGES} | ({"text_layer": text_layer} if text_layer else {})

    def read(self, file: Path) -> Reading | None:
        """Read a page; None if the answer is an error."""
        with file.open("rb") as data:
            answer = self._service.client.post("/ocr", files={"file": (file.name, data)}, data=self._form)
        if answer.status_code != httpx.codes.OK:
            return None
        page = answer.json()["pages"][0]
        return Reading(page["text"], page["markdown"])

    def cpu_seconds(self) -> float:
        """CPU seconds of the processes of the service."""
        return cpu_seconds_of_tree(self._service.process.pid)


def services(name: str, service: RunningService) -> list[Service]:
    """Return the service in each mode that it has."""
    if "text_layer" not in service.client.get("/openapi.json").raise_for_status().text:
        return [Service(name, service, None)]
    return [Service(name, service, "never"), Service(name, service, "auto")]


class _Command:
    """A program that runs once for each page."""

    name: str
    pictures_too = True

    def cpu_seconds(self) -> float:
        """CPU seconds of all programs that have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def _run(self, *command: str | Path) -> str | None:
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        return run.stdout if run.returncode == 0 else None


class TesseractCommand(_Command):
    """The command `tesseract`; pdftoppm draws the pages of PDFs for it."""

    def __init__(self, mode: int) -> None:
        self.name = f"`tesseract --psm {mode}`"
        self._mode = str(mode)

    def read(self, file: Path) -> Reading | None:
        """Read a page."""
        with tempfile.TemporaryDirectory() as folder:
            picture = file
            if file.suffix == ".pdf":
                picture = Path(folder, "page.png")
                self._run(
                    "pdftoppm", "-r", str(_DPI), "-gray", "-png", "-singlefile", file, picture.with_suffix("")
                )
            text = self._run("tesseract", picture, "-", "-l", LANGUAGES, "--psm", self._mode)
        return None if text is None else Reading(text)


class OcrMyPdf(_Command):
    """OCRmyPDF, which turns and deskews pages; it reads PDFs that have a text layer too."""

    name = "OCRmyPDF"

    def read(self, file: Path) -> Reading | None:
        """Read a page."""
        options = [
            "--rotate-pages",
            "--deskew",
            "--output-type",
            "pdf",
            "--optimize",
            "0",
            "--jobs",
            "1",
            "--quiet",
        ]
        if file.suffix == ".pdf":
            options.append("--force-ocr")
        elif not _has_resolution(file):
            options += ["--image-dpi", str(_DPI)]
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder, "text.txt")
            target = Path(folder, "out.pdf")
            if self._run("ocrmypdf", "-l", LANGUAGES, *options, "--sidecar", text, file, target) is None:
                return None
            return Reading(text.read_text())


def _has_resolution(file: Path) -> bool:
    with Image.open(file) as picture:
        return bool(picture.info.get("dpi", (0,))[0] >= _LEAST_DPI)
