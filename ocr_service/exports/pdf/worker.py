"""The writer of PDFs in a worker process."""

import mmap

from PIL import Image

from ocr_service.core.errors import TooLargePdf
from ocr_service.exports.pdf.document import write
from ocr_service.exports.pdf.requests import Write, Written, unpack
from ocr_service.runtime.processes.sandbox import limit_memory

_MIB = 2**20
# A PDF is held whole, and its streams are compressed one by one; a content stream takes the most when it is
# parsed.
_MEMORY = 1024 * _MIB
_MEMORY_A_BYTE = 4


class Writer:
    """A `Handler` that holds one order with its document."""

    readable = ()

    def __init__(self) -> None:
        self._data: bytes | None = None

    def set_document(self, document: bytes | None) -> None:
        self._data = document

    def answer(self, request: Write, memory: mmap.mmap | None) -> Written:
        assert self._data is not None and memory is not None
        limit_memory(_MEMORY + _MEMORY_A_BYTE * len(self._data))
        pdf, was_signed = write(*unpack(self._data))
        if len(pdf) > len(memory):
            raise TooLargePdf(f"It would have more than {len(memory) // _MIB} MiB; ask for fewer pages.")
        memory[: len(pdf)] = pdf
        return Written(len(pdf), was_signed)


def make_handler() -> Writer:
    """Prepare the data that all workers share, before the first of them is forked."""
    Image.init()
    return Writer()
