"""Pages → results, with Tesseract and OpenCV, which are loaded when this module is imported."""

import time
from pathlib import Path

import cv2

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.engines.tesseract.attempts import Attempts
from ocr_service.engines.tesseract.instances import VERSION, Instances
from ocr_service.engines.tesseract.results import page_result

__all__ = ["VERSION", "PageReader"]

# The engine has a thread for each core.
cv2.setNumThreads(1)


class PageReader:
    """Reads pages on any number of threads.

    tessdata: folder with the language data. page_seconds: time limit of one page.
    """

    def __init__(self, tessdata: Path, page_seconds: float) -> None:
        self._instances = Instances(tessdata)
        self._page_seconds = page_seconds

    def read(self, page: Page, lang: str, options: Options) -> PageResult:
        """Read a page; blocks. Raises RecognitionFailed or EngineUnavailable."""
        attempts = Attempts(self._instances, lang, time.monotonic() + self._page_seconds)
        return page_result(page, attempts.best(page, options.rotate), options)
