"""Tesseract in a worker process; only the fork server imports this module."""

import mmap
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2

from ocr_service.core.documents import Page, PageResult, Timings
from ocr_service.core.errors import EngineUnavailable, RecognitionFailed
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.instances import VERSION, Instances, open_message_file
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.requests import AskVersion, ReadPage
from ocr_service.engines.tesseract.results import page_result


class Recognizer:
    """A `Handler` whose instances of Tesseract stay loaded from one page to the next."""

    def __init__(self, tessdata: Path) -> None:
        self.readable: Sequence[Path] = (tessdata,)
        self.instances = Instances(tessdata)
        self._pixels: bytes | None = None

    def set_document(self, document: bytes | None) -> None:
        """Replace the pixels."""
        self._pixels = document

    def answer(self, request: AskVersion | ReadPage, memory: mmap.mmap | None) -> object:
        """Return the version, or the result of a page; raises RecognitionFailed or EngineUnavailable."""
        return VERSION if isinstance(request, AskVersion) else self._read(request)

    def _read(self, request: ReadPage) -> PageResult:
        began = time.monotonic()
        assert self._pixels is not None
        picture = Picture.of_pixels(self._pixels, request.size, request.resolution)
        attempts = Attempts(self.instances, request.lang, began + request.seconds)
        reading = attempts.best(picture, request.options.rotate)
        if reading is None:
            raise RecognitionFailed(f"Tesseract could not read page {request.index}, or not in time.")
        page = Page(request.index, picture.image, request.resolution)
        result = page_result(page, reading, request.options)
        return replace(result, timings=Timings(recognize=time.monotonic() - began))


def make_handler(tessdata: str, lang: str) -> Recognizer:
    """Load what all workers share, before the first of them is forked. lang: the default languages."""
    cv2.setNumThreads(1)
    open_message_file()
    recognizer = Recognizer(Path(tessdata))
    # A page in these languages reports the error.
    with suppress(EngineUnavailable):
        recognizer.instances.reader(lang)
    if recognizer.instances.has_osd:
        recognizer.instances.orientation()
    return recognizer
