"""Reads pages of PDFs within limits that end the process; `probing` runs it, and asks for one at a time."""

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
from ocr_service.decoding.probing import MOST_MIB, MOST_SECONDS, NO_PAGE, WELL

_MIB = 2**20


def _asked() -> Iterator[tuple[int, bytes]]:
    """Yield the page to read and its document; none where it is the one before."""
    while head := sys.stdin.buffer.read(12):
        yield int.from_bytes(head[:4], "big"), sys.stdin.buffer.read(int.from_bytes(head[4:], "big"))


def _opened(data: bytes) -> pdfium.PdfDocument | None:
    with suppress(pdfium.PdfiumError):
        pdf = pdfium.PdfDocument(data)
        pdf.init_forms()
        return pdf
    return None


def _read(pdf: pdfium.PdfDocument, index: int) -> None:
    with suppress(pdfium.PdfiumError):
        page = pdf[index - 1]
        for picture in chain(pictures(page), annotation_pictures(page)):
            with suppress(pdfium.PdfiumError):
                picture.get_px_size()
        page.close()


def _limit_memory(document_bytes: int) -> None:
    most = _own_bytes() + document_bytes + MOST_MIB * _MIB
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _own_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    """Answer until nothing more is asked."""
    pdf = None
    for index, data in _asked():
        # Its signal ends the process, also in the middle of PDFium. Time of the CPU: others may need it, too.
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        if data:
            if pdf is not None:
                pdf.close()
            _limit_memory(len(data))
            pdf = _opened(data)
        if pdf is not None and index != NO_PAGE:
            _read(pdf, index)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(WELL)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    logging.disable()
    main()
