"""Main program of the probe: reads PDF pages on request, with limits that end the process."""

import logging
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pypdfium2 as pdfium

from ocr_service.decoding import user_units
from ocr_service.decoding.font_report import FontReport, report_of
from ocr_service.decoding.fonts import FONTS
from ocr_service.decoding.glyphs import Glyphs
from ocr_service.decoding.open_pdf import OpenPdf
from ocr_service.decoding.page_objects import pictures
from ocr_service.decoding.probe import MAX_MIB, MAX_SECONDS, NO_COMMON_UNIT, NO_PAGE, PageReport

_MIB = 2**20


def _requests() -> Iterator[tuple[int, bytes]]:
    """Yield the page to read, and the document; empty bytes if the document is the previous one."""
    while head := sys.stdin.buffer.read(12):
        yield int.from_bytes(head[:4], "big"), sys.stdin.buffer.read(int.from_bytes(head[4:], "big"))


def _open(data: bytes) -> OpenPdf | None:
    with suppress(pdfium.PdfiumError):
        return OpenPdf(data)
    return None


def _report(pdf: OpenPdf | None, index: int, common_unit: float, glyphs: Glyphs) -> PageReport:
    if pdf is None or index == NO_PAGE:
        return PageReport(user_unit=common_unit)
    return PageReport(_read_page(pdf, index, glyphs), common_unit or _user_unit(pdf, index))


def _user_unit(pdf: OpenPdf, index: int) -> float:
    with suppress(pdfium.PdfiumError):
        return user_units.user_unit(pdf.document, index)
    return 1.0


def _read_page(pdf: OpenPdf, index: int, glyphs: Glyphs) -> FontReport:
    with suppress(pdfium.PdfiumError):
        with pdf.page(index, system_fonts=False) as page:
            for picture in pictures(page):
                with suppress(pdfium.PdfiumError):
                    picture.get_px_size()
            report = report_of(page, glyphs, with_system_fonts=False)
        if report.needs_system_fonts:
            with pdf.page(index, system_fonts=True) as page:
                report = report_of(page, glyphs, with_system_fonts=True)
        return report
    return FontReport()


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
    FONTS.install()
    glyphs = Glyphs(FONTS)
    pdf, common_unit = None, 1.0
    for index, data in _requests():
        # The signal ends the process, even inside PDFium. CPU time, because other processes may be busy, too.
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        if data:
            if pdf is not None:
                pdf.close()
            _limit_memory(len(data))
            pdf = _open(data)
            common_unit = NO_COMMON_UNIT if user_units.may_be_used(data) else 1.0
        report = _report(pdf, index, common_unit, glyphs)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(bytes(report))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    logging.disable()
    main()
