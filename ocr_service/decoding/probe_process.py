"""Main program of the probe: reads PDF pages on request, with limits that end the process."""

import logging
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pypdfium2 as pdfium

from ocr_service.decoding.pdf import annotation_pictures, pictures
from ocr_service.decoding.probe import MAX_MIB, MAX_SECONDS, NO_PAGE, OK

_MIB = 2**20


def _requests() -> Iterator[tuple[int, bytes]]:
    """Yield the page to read, and the document; empty bytes if the document is the previous one."""
    while head := sys.stdin.buffer.read(12):
        yield int.from_bytes(head[:4], "big"), sys.stdin.buffer.read(int.from_bytes(head[4:], "big"))


def _open(data: bytes) -> pdfium.PdfDocument | None:
    with suppress(pdfium.PdfiumError):
        pdf = pdfium.PdfDocument(data)
        pdf.init_forms()
        return pdf
    return None


def _read_page(pdf: pdfium.PdfDocument, index: int) -> None:
    with suppress(pdfium.PdfiumError):
        page = pdf[index - 1]
        for picture in chain(pictures(page), annotation_pictures(page)):
            with suppress(pdfium.PdfiumError):
                picture.get_px_size()
        page.close()


def _limit_memory(document_bytes: int) -> None:
    limit = _own_bytes() + document_bytes + MAX_MIB * _MIB
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _own_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    """Serve requests until the input ends."""
    pdf = None
    for index, data in _requests():
        # The signal ends the process, even inside PDFium. CPU time, because other processes may be busy, too.
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        if data:
            if pdf is not None:
                pdf.close()
            _limit_memory(len(data))
            pdf = _open(data)
        if pdf is not None and index != NO_PAGE:
            _read_page(pdf, index)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(OK)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    logging.disable()
    main()
