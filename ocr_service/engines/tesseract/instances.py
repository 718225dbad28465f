"""Instances of Tesseract, each for one kind of reading."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import tesserocr

from ocr_service.core.errors import EngineUnavailable

VERSION: str = tesserocr.tesseract_version().split()[1]

_OSD = "osd"


def open_message_file() -> None:
    """Let Tesseract open the file of its messages, `/dev/null`. In the sandbox this fails, and it crashes."""
    with suppress(RuntimeError):
        # There is no such language, and Tesseract says so.
        tesserocr.PyTessBaseAPI(os.devnull, "none")


class Instances:
    """Instances that are loaded when they are first needed; for one thread.

    tessdata: folder with the language data.
    """

    def __init__(self, tessdata: Path) -> None:
        self._tessdata = tessdata
        self._readers: dict[str, Any] = {}
        self._word_readers: dict[str, Any] = {}
        self._orientation: Any = None
        self.has_osd = (tessdata / f"{_OSD}.traineddata").exists()

    def reader(self, lang: str) -> Any:
        """Return an instance that reads `lang`; loading another language takes about 0.1 s."""
        if lang not in self._readers:
            # One at a time, since each takes much memory.
            self._readers.clear()
            self._readers[lang] = self._load(lang, tesserocr.PSM.AUTO)
        return self._readers[lang]

    def word_reader(self, lang: str) -> Any:
        """Return an instance that reads pictures of one word; it stays loaded."""
        if lang not in self._word_readers:
            self._word_readers[lang] = self._load(lang, tesserocr.PSM.SINGLE_WORD)
        return self._word_readers[lang]

    def orientation(self) -> Any:
        """Return an instance that detects how a page lies; it needs the data `osd`."""
        if self._orientation is None:
            self._orientation = self._load(_OSD, tesserocr.PSM.OSD_ONLY)
        return self._orientation

    def _load(self, lang: str, mode: Any) -> Any:
        try:
            return tesserocr.PyTessBaseAPI(f"{self._tessdata}/", lang, psm=mode)
        except RuntimeError as error:
            raise EngineUnavailable(f"The language data of {lang} cannot be loaded.") from error
