"""PDFs are read by another process first: what crashes it, or takes too much, is not read by this one.

PDFium reads all that a page draws before anything can be asked of the page, and forms as often as they are
drawn: two kilobytes of forms in forms would take minutes, and memory without end.
"""

import atexit
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ocr_service.core.errors import BrokenDocument

# A page of a scan takes a millisecond, a crowded map some hundred.
MOST_SECONDS = 10
# Beside the document; a page's pictures are not decoded yet.
MOST_MIB = 512

# The document alone, without any of its pages.
NO_PAGE = 0
WELL = b"+"

_ROOT = Path(__file__).parents[2]
_COMMAND = [sys.executable, "-m", "ocr_service.decoding.probe_process"]


class Probe:
    """Owns the process, which holds one document at a time; its calls block, one after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._holds: object = None
        atexit.register(self.close)

    def look(self, document: object, data: bytes, index: int) -> None:
        """Read page `index`, from 1, or NO_PAGE; raises BrokenDocument where that ends the process.

        document: what tells this one from others. What PDFium refuses is left to whoever reads it next.
        """
        if not self._survives(document, data, index):
            self.close()
            what = f"Page {index} of the PDF" if index else "The PDF"
            raise BrokenDocument(f"{what} cannot be read in {MOST_SECONDS} s and {MOST_MIB} MiB.")

    def close(self) -> None:
        """End the process."""
        process, self._process, self._holds = self._process, None, None
        if process is not None:
            process.kill()
            # What it has not read is lost with it.
            with suppress(BrokenPipeError):
                process.communicate()

    def _survives(self, document: object, data: bytes, index: int) -> bool:
        if self._process is None or self._process.poll() is not None:
            self.close()
            # Away from the terminal's signals: it ends when its input does.
            self._process = subprocess.Popen(
                _COMMAND,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        sent = b"" if document is self._holds else data
        self._holds = document
        with suppress(BrokenPipeError):
            asked.write(index.to_bytes(4, "big") + len(sent).to_bytes(8, "big"))
            asked.write(sent)
            asked.flush()
        return answers.read(1) == WELL
