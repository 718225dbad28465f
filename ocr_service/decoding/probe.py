"""A separate process that reads each PDF page first: a page that crashes it or exceeds its limits is refused.

PDFium parses all contents of a page before it answers any question about the page, and parses a form as often
as it is used: with two kilobytes of nested forms, this would take minutes and unlimited memory.
"""

import atexit
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ocr_service.core.errors import BrokenDocument
from ocr_service.decoding.font_report import FontReport

# CPU time of one page. A scanned page takes a millisecond, a dense map some hundred.
MAX_SECONDS = 10
# In addition to the document; images are not decoded at this point.
MAX_MIB = 512

# Index that stands for the document without any of its pages.
NO_PAGE = 0

_ROOT = Path(__file__).parents[2]
_COMMAND = [sys.executable, "-m", "ocr_service.decoding.probe_process"]


# Points per unit of a document whose pages may have user units; otherwise 1 holds for all of them.
NO_COMMON_UNIT = 0.0

_UNIT = struct.Struct(">d")


@dataclass(frozen=True, slots=True)
class PageReport:
    """Findings about a page.

    user_unit: points per unit of the page; for NO_PAGE, of all pages, or NO_COMMON_UNIT.
    """

    fonts: FontReport = field(default_factory=FontReport)
    user_unit: float = 1.0

    SIZE = FontReport.SIZE + _UNIT.size

    def __bytes__(self) -> bytes:
        return bytes(self.fonts) + _UNIT.pack(self.user_unit)

    @classmethod
    def of_bytes(cls, data: bytes) -> "PageReport":
        """Undo `bytes(report)`."""
        return cls(FontReport.of_bytes(data[: FontReport.SIZE]), *_UNIT.unpack(data[FontReport.SIZE :]))


class Probe:
    """Owns the process, which holds one document at a time; calls block, and must not overlap."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._sent_document: object = None
        atexit.register(self.close)

    def check(self, document: object, data: bytes, index: int) -> PageReport:
        """Read page `index`, from 1, or NO_PAGE; raises BrokenDocument if this ends the process.

        document: identity of the document, so that its bytes are sent only once. Errors of PDFium are ignored
        here: the same errors follow when the service itself reads the page.
        """
        reply = self._reply(document, data, index)
        if len(reply) != PageReport.SIZE:
            self.close()
            subject = f"Page {index} of the PDF" if index else "The PDF"
            raise BrokenDocument(f"{subject} cannot be read in {MAX_SECONDS} s and {MAX_MIB} MiB.")
        return PageReport.of_bytes(reply)

    def close(self) -> None:
        """End the process."""
        process, self._process, self._sent_document = self._process, None, None
        if process is not None:
            process.kill()
            # If the process has not read all of its input, closing the pipe fails.
            with suppress(BrokenPipeError):
                process.communicate()

    def _reply(self, document: object, data: bytes, index: int) -> bytes:
        process = self._running_process()
        requests, replies = process.stdin, process.stdout
        assert requests is not None and replies is not None
        body = b"" if document is self._sent_document else data
        self._sent_document = document
        with suppress(BrokenPipeError):
            requests.write(index.to_bytes(4, "big") + len(body).to_bytes(8, "big"))
            requests.write(body)
            requests.flush()
        return replies.read(PageReport.SIZE)

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            # In its own session, so that it gets no signals of the terminal: it ends when its input ends.
            self._process = subprocess.Popen(
                _COMMAND,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process
