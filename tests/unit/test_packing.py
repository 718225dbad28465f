"""Names of stored objects."""

import pytest

from ocr_service.storage.packing import source_file
from tests.samples import small_png

PDF = b"%PDF-1.7"


@pytest.mark.parametrize(
    ("data", "given", "name", "content_type"),
    [
        (PDF, "Договор № 17.pdf", "Договор № 17.pdf", "application/pdf"),
        (PDF, "SCAN.PDF", "SCAN.pdf", "application/pdf"),
        (PDF, "report.docx", "report.docx.pdf", "application/pdf"),
        (PDF, "v1.2", "v1.2.pdf", "application/pdf"),
        (PDF, "", "document.pdf", "application/pdf"),
        (PDF, ".pdf", "pdf.pdf", "application/pdf"),
        (PDF, "..", "document.pdf", "application/pdf"),
        (PDF, "../../etc/passwd", "passwd.pdf", "application/pdf"),
        (PDF, "C:\\scans\\a.pdf", "a.pdf", "application/pdf"),
        (PDF, "a/", "document.pdf", "application/pdf"),
        (PDF, "a\r\nb\0?.pdf", "a__b__.pdf", "application/pdf"),
        (PDF, "и\u0306.pdf", "й.pdf", "application/pdf"),
        (PDF, "\ud800\ufffe.pdf", "__.pdf", "application/pdf"),
        (small_png(), "photo.jpeg", "photo.jpeg.png", "image/png"),
        (b"\xff\xd8\xff", "photo.JPEG", "photo.jpeg", "image/jpeg"),
        (b"II*\0", "fax.tiff", "fax.tiff", "image/tiff"),
    ],
)
def test_source_name_gets_the_extension_of_the_detected_type(
    data: bytes, given: str, name: str, content_type: str
) -> None:
    source = source_file(data, given)
    assert (source.name, source.content_type, source.body) == (f"source/{name}", content_type, data)


def test_long_name_is_truncated_to_the_file_system_limit() -> None:
    name = source_file(PDF, "я" * 300 + ".pdf").name
    assert name == f"source/{'я' * 90}.pdf"
