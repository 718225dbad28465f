"""Instances of Tesseract: each thread has its own, since an instance holds the page that it reads."""

import os
import threading
from pathlib import Path
from typing import Any

import tesserocr

from ocr_service.core.errors import EngineUnavailable
from ocr_service.runtime.native_messages import silence_leptonica

VERSION: str = tesserocr.tesseract_version().split()[1]

_OSD = "osd"

silence_leptonica(tesserocr.tesserocr)


class Instances:
    """The instances of the running thread, loaded when it first needs them.

    tessdata: folder with the language data.
    """

    def __init__(self, tessdata: Path) -> None:
        self._tessdata = tessdata
        self._local = threading.local()
        self.has_osd = (tessdata / f"{_OSD}.traineddata").exists()

    def reader(self, lang: str) -> Any:
        """Return an instance that reads `lang`; loading another language takes about 0.1 s."""
        if getattr(self._local, "lang", None) != lang:
            self._local.lang = None
            self._local.reader = self._load(lang, tesserocr.PSM.AUTO)
            self._local.lang = lang
        return self._local.reader

    def word_reader(self, lang: str) -> Any:
        """Return an instance that reads pictures of one word; it stays loaded."""
        readers: dict[str, Any] = self._local.__dict__.setdefault("word_readers", {})
        if lang not in readers:
            readers[lang] = self._load(lang, tesserocr.PSM.SINGLE_WORD)
        return readers[lang]

    def orientation(self) -> Any:
        """Return an instance that detects how a page lies; it needs the data `osd`."""
        if getattr(self._local, "orientation", None) is None:
            self._local.orientation = self._load(_OSD, tesserocr.PSM.OSD_ONLY)
        return self._local.orientation

    def _load(self, lang: str, mode: Any) -> Any:
        try:
            instance = tesserocr.PyTessBaseAPI(f"{self._tessdata}/", lang, psm=mode)
        except RuntimeError as error:
            raise EngineUnavailable(f"The language data of {lang} cannot be loaded.") from error
        # Without this, Tesseract writes remarks on each page to standard error.
        instance.SetVariable("debug_file", os.devnull)
        return instance
