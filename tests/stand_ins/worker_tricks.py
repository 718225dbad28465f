"""A handler for worker processes that does what damaged files let decoders do."""

import mmap
import os
import signal
import socket
from pathlib import Path

from ocr_service.core.documents import TextSource
from ocr_service.core.errors import BrokenDocument
from ocr_service.runtime.processes.sandbox import limit_memory


class _CallsPrint:
    """Its pickle calls a function that a worker has no reason to name."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("the service runs code of a worker",)


class Tricks:
    """A `Handler` whose requests are the names of its methods."""

    readable = ()

    def __init__(self) -> None:
        self.document: bytes | None = None

    def set_document(self, document: bytes | None) -> None:
        self.document = document

    def answer(self, request: str, memory: mmap.mmap | None) -> object:
        return getattr(self, request)(memory)

    def pid(self, _: object) -> int:
        return os.getpid()

    def member_of_an_enumeration(self, _: object) -> TextSource:
        # Python 3.11.2 pickles it like this.
        by_name = lambda member, _: (getattr, (TextSource, member.name))  # noqa: E731
        setattr(TextSource, "__reduce_ex__", by_name)  # noqa: B010
        return TextSource.TEXT_LAYER

    def document_size(self, _: object) -> int:
        return len(self.document or b"")

    def environment(self, _: object) -> list[str]:
        return list(os.environ)

    def crash(self, _: object) -> None:
        os.abort()

    def spin(self, _: object) -> None:
        while True:
            pass

    def spin_a_little(self, _: object) -> str:
        began = os.times().user
        while os.times().user < began + 1:
            pass
        return "done"

    def take_memory(self, _: object) -> bytes:
        limit_memory(50 * 2**20)
        return bytes(500 * 2**20)

    def hold_memory(self, _: object) -> None:
        self.held = b"x" * (300 * 2**20)
        signal.pause()

    def refuse(self, _: object) -> None:
        raise BrokenDocument("It is damaged.")

    def fail(self, _: object) -> None:
        raise ZeroDivisionError(self.document)

    def call_print(self, _: object) -> object:
        return _CallsPrint()

    def paint(self, memory: mmap.mmap) -> int:
        memory[:4] = b"ink!"
        return os.getpid()

    def connect(self, _: object) -> str:
        return _error_of(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1))

    def run_a_program(self, _: object) -> str:
        return _error_of(lambda: os.execv("/bin/true", ["true"]))

    def fork(self, _: object) -> str:
        return _error_of(os.fork)

    def write_a_file(self, _: object) -> str:
        return _error_of(lambda: Path("/tmp/written_by_a_worker").write_text("x"))

    def read_a_secret(self, _: object) -> str:
        return _error_of(lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes())

    def open_many_files(self, _: object) -> str:
        return _error_of(lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(1000)])


def _error_of(action: object) -> str:
    try:
        action()  # type: ignore[operator]
    except OSError as error:
        return type(error).__name__
    return "nothing"


def make_handler() -> Tricks:
    """Make the handler in the fork server."""
    return Tricks()
