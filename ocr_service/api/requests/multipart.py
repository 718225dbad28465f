"""Multipart forms, as RFC 2046 and RFC 7578 describe them, and as clients write them."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Event, Field, File, MultipartDecoder, NeedData, State

from ocr_service.api.requests.body_stream import ENVELOPE, BodyStream
from ocr_service.core.errors import MalformedBody, TooManyBytes

FILE_FIELD = "file"

_MAX_PARTS = 128
MAX_FIELD_BYTES = 16 * 1024
# The decoder gets slices, so that it holds the interpreter lock for a moment only. The preamble and the
# headers of a part must fit into its buffer.
_SLICE = 16 * 1024
_MAX_BUFFER = 3 * _SLICE
_ENCODED_WORD = re.compile(r"=\?.+\?=", re.DOTALL)


@dataclass(slots=True)
class Part:
    """A part of a form. file_name: None if the client sent none, as for a field."""

    name: str
    file_name: str | None
    content: io.BytesIO = field(default_factory=io.BytesIO)

    @property
    def size(self) -> int:
        """The size of the content in bytes."""
        return self.content.tell()

    @property
    def text(self) -> str:
        """The content of a field."""
        content = self.content.getvalue()
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content.decode("latin-1")


async def read_multipart(stream: BodyStream) -> list[Part]:
    """Read the parts of a form; raises MalformedBody if it is cut off, and the errors of the stream."""
    max_bytes = stream.limits.max_bytes
    form = _Form(_boundary(stream.headers["content-type"]))
    try:
        async for chunk in stream.chunks(max_bytes + ENVELOPE, TooManyBytes.beyond(max_bytes)):
            form.add(chunk)
    except (ValueError, RequestEntityTooLarge) as error:
        raise MalformedBody(
            "The multipart form is malformed, has too many fields, or has a field that is too long."
        ) from error
    if not form.is_complete:
        raise MalformedBody("The multipart form is incomplete: its last boundary is missing.")
    return form.parts


def _boundary(content_type: str) -> bytes:
    _, options = parse_options_header(content_type)
    if not options.get("boundary"):
        raise MalformedBody("The content type of the multipart form names no boundary.")
    return options["boundary"].encode("latin-1", "replace")


class _Form:
    """The parts of a form that have arrived."""

    def __init__(self, boundary: bytes) -> None:
        self.parts: list[Part] = []
        self._decoder = _Decoder(boundary, _MAX_BUFFER, max_parts=_MAX_PARTS)

    @property
    def is_complete(self) -> bool:
        """Whether the last boundary has arrived. Everything after it is ignored."""
        return self._decoder.state is State.EPILOGUE

    def add(self, chunk: bytes) -> None:
        """Decode a chunk; raises ValueError or RequestEntityTooLarge."""
        for start in range(0, len(chunk), _SLICE):
            if self.is_complete:
                return
            self._decoder.receive_data(chunk[start : start + _SLICE])
            for event in self._events():
                self._handle(event)

    def _events(self) -> Iterator[Event]:
        while not isinstance(event := self._decoder.next_event(), NeedData):
            yield event

    def _handle(self, event: Event) -> None:
        if isinstance(event, File):
            self.parts.append(Part(event.name or FILE_FIELD, decoded_name(event.filename)))
        elif isinstance(event, Field):
            if event.name is None:
                raise ValueError("a field without a name")
            self.parts.append(Part(event.name, None))
        elif isinstance(event, Data):
            part = self.parts[-1]
            part.content.write(event.data)
            can_be_long = part.file_name is not None or part.name == FILE_FIELD
            if not can_be_long and part.size > MAX_FIELD_BYTES:
                raise ValueError("a field that is too long")


class _Decoder(MultipartDecoder):
    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        """Parse the headers of a part. curl on Windows sends file names in the code page of the system."""
        try:
            return super()._parse_headers(data)
        except UnicodeDecodeError:
            return super()._parse_headers(data.decode("cp1251", "replace").encode())


def decoded_name(name: str) -> str:
    """Return a file name without the encodings of mail headers (.NET) and of addresses (aiohttp)."""
    if _ENCODED_WORD.fullmatch(name):
        try:
            return str(make_header(decode_header(name)))
        except (HeaderParseError, LookupError, UnicodeDecodeError):
            return name
    if name.isascii():
        try:
            return unquote(name, errors="strict")
        except UnicodeDecodeError:
            pass
    return name
