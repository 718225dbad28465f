"""The decoders in a worker process: they open the document, measure its pages and draw them."""

import mmap
from typing import Protocol

from PIL import Image

from ocr_service.decoding.fonts import FONTS
from ocr_service.decoding.images import ImageFile
from ocr_service.decoding.pdf import PdfFile
from ocr_service.decoding.requests import Contents, Draw, Drawn, Kind, Measure, Open, ReadText
from ocr_service.decoding.signatures import PDF
from ocr_service.decoding.text_layer.values import TextLayer


class _OpenFile(Protocol):
    """An open document; each method raises DocumentError."""

    @property
    def contents(self) -> Contents: ...

    def measure(self, index: int) -> int: ...

    def draw(self, index: int, memory: mmap.mmap) -> Drawn: ...

    def text_layer(self, index: int) -> TextLayer | None: ...

    def close(self) -> None: ...


class Decoder:
    """A `Handler` that keeps its document open from one request to the next."""

    readable = ()

    def __init__(self) -> None:
        self._data: bytes | None = None
        self._file: _OpenFile | None = None

    def set_document(self, document: bytes | None) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._data = None, document

    def answer(self, request: Open | Measure | Draw | ReadText, memory: mmap.mmap | None) -> object:
        if isinstance(request, Open):
            return self._opened(request.kind, Contents()).contents
        file = self._opened(request.kind, request.contents)
        if isinstance(request, Measure):
            return file.measure(request.index)
        if isinstance(request, ReadText):
            return file.text_layer(request.index)
        assert memory is not None
        return file.draw(request.index, memory)

    def _opened(self, kind: Kind, known: Contents) -> _OpenFile:
        if self._file is None:
            assert self._data is not None
            if kind.format_name == PDF:
                self._file = PdfFile(self._data, kind, known)
            else:
                self._file = ImageFile(self._data, kind.format_name, kind.mode, kind.limits, known)
        return self._file


def make_handler() -> Decoder:
    """Prepare what all workers share, before the first of them is forked."""
    Image.init()
    FONTS.install()
    FONTS.files.load()
    return Decoder()
