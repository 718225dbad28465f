"""PDF files of 4 kB with 99 blended rectangles on a very large page."""

from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, post, repeat
from tests.samples import pdf_of_objects, pdf_stream

CALLERS = 4


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the files."""
    data = _pdf()
    return repeat(lambda: post(address, "/ocr", data), CALLERS, stop)


def _pdf() -> bytes:
    rectangles = b"".join(b"/G gs %d %d 14000 14000 re f\n" % (number, number) for number in range(99))
    return pdf_of_objects(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14400 14400] /Contents 4 0 R"
            b" /Resources << /ExtGState << /G << /BM /Luminosity /ca 0.5 >> >> >> >>",
            pdf_stream("", b"1 0 0 rg\n" + rectangles),
        ]
    )
