"""Documents as the service sees them: worker processes open them, and their pages come in shared memory."""

from ocr_service.core.documents import Page
from ocr_service.core.errors import BrokenDocument, DecoderKilled
from ocr_service.core.turns import Caller
from ocr_service.decoding.canvas import BYTES_PER_PIXEL, image_in
from ocr_service.decoding.requests import Contents, Draw, Drawn, Kind, Measure, Open, ReadText
from ocr_service.decoding.signatures import PDF
from ocr_service.decoding.text_layer.values import TextLayer
from ocr_service.runtime.cores import usable_cores
from ocr_service.runtime.processes.commands import NICENESS
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.frames import InvalidReply
from ocr_service.runtime.processes.jobs import Job, Outcome, Subject
from ocr_service.runtime.processes.pool import NoSlot, Pool, Slot
from ocr_service.runtime.processes.worker_process import KilledBySystem, WorkerEnded

# CPU time for opening a file and for measuring a page; both take milliseconds in a good file.
_OPEN_SECONDS = 10.0
# A scanned page takes tenths of a second, a dense map seconds. The slowest format, JPEG 2000, takes 6 s for
# 100 megapixels, and more on a busy machine; larger pages are a setting.
_PAGE_SECONDS = 30.0
_PAGE_SECONDS_A_PIXEL = 0.3e-6

DECODERS = Pool(
    # Files that are opened must not delay the page that is read.
    ForkServer("ocr_service.decoding.worker", niceness=2 * NICENESS),
    quick=usable_cores(),
    slow=max(1, usable_cores() // 2),
    classes_from=(
        "ocr_service.core.",
        "ocr_service.decoding.requests",
        "ocr_service.decoding.text_layer.values",
    ),
)
"""The processes that decode. They start with the first document, or earlier by `start`."""


class Document:
    """An open document; `open_document` makes it."""

    def __init__(self, data: bytes, kind: Kind, caller: Caller) -> None:
        self._kind = kind
        self._subject = Subject(data, caller)
        self._contents = Contents()
        self._pixels: dict[int, int] = {}
        self._is_closed = False

    @property
    def page_count(self) -> int:
        """Number of pages."""
        return self._contents.page_count

    async def open(self) -> None:
        """Open the file; raises DocumentError."""
        self._contents = (await self._ask(Open(self._kind), _OPEN_SECONDS, self._name())).reply

    async def pixels(self, index: int) -> int:
        """Return the number of pixels that page `index`, from 1, has at most; raises PageError."""
        if index not in self._pixels:
            request = Measure(self._kind, self._contents, index)
            outcome = await self._ask(request, _OPEN_SECONDS, self._name(index))
            self._pixels[index] = outcome.reply
        return self._pixels[index]

    async def page(self, index: int, slot: Slot | None = None) -> Page:
        """Decode page `index`, from 1; raises PageError for this page alone.

        slot: given back while the page takes long to decode. Others may then use it.
        """
        pixels = await self.pixels(index)
        size, seconds = pixels * BYTES_PER_PIXEL[self._kind.mode], pixels * _PAGE_SECONDS_A_PIXEL
        request, name = Draw(self._kind, self._contents, index), self._name(index)
        outcome = await self._ask(request, max(_PAGE_SECONDS, seconds), name, size, slot)
        drawn: Drawn = outcome.reply
        assert outcome.memory is not None
        try:
            image = image_in(outcome.memory, (drawn.width, drawn.height), self._kind.mode)
        except ValueError as error:
            raise _unreadable(name) from error
        return Page(index, image, drawn.resolution, drawn.warnings, self._subject.caller, drawn.without_text)

    async def text_layer(self, index: int) -> TextLayer | None:
        """Return the text that the file itself holds for page `index`, from 1; raises PageError.

        None if its format holds no text.
        """
        if self._kind.format_name != PDF:
            return None
        request, name = ReadText(self._kind, self._contents, index), self._name(index)
        layer: TextLayer = (await self._ask(request, _OPEN_SECONDS, name)).reply
        return layer

    def close(self) -> None:
        """Release the memory of the document in the processes."""
        self._is_closed = True
        DECODERS.forget(self._subject)

    def _name(self, index: int = 0) -> str:
        name = "The PDF" if self._kind.format_name == PDF else "The image"
        return f"Page {index} of the {name[4:]}" if index else name

    async def _ask(
        self, request: object, seconds: float, name: str, memory: int = 0, slot: Slot | None = None
    ) -> Outcome:
        if self._is_closed:
            raise BrokenDocument(f"{name} is not needed any more.")
        try:
            return await DECODERS.run(Job(self._subject, request, seconds, memory), slot or NoSlot())
        except KilledBySystem as error:
            raise DecoderKilled(
                f"{name} could not be decoded: the system ended the decoder, probably because the memory is "
                "full. Retry later."
            ) from error
        except (WorkerEnded, InvalidReply) as error:
            raise _unreadable(name) from error


def _unreadable(name: str) -> BrokenDocument:
    return BrokenDocument(
        f"{name} cannot be read within the limits of time and memory, or it crashes the decoder."
    )
