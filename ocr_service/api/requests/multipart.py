"""Multipart forms, as RFC 2046 and RFC 7578 describe them, and as clients write them."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Event, Field, File, MultipartDecoder, NeedData, State

from ocr_service.api.requests.body_buffer import BodyBuffer
from ocr_service.api.requests.body_stream import ENVELOPE, BodyStream
from ocr_service.core.errors import MalformedBody, TooManyBytes
from ocr_service.runtime.pace import Pace

FILE_FIELD = "file"

_MAX_PARTS = 128
MAX_FIELD_BYTES = 16 * 1024
# Of the request's content type, and of the headers of all parts: the event loop parses them letter by letter.
_MAX_CONTENT_TYPE = 512
_MAX_HEADER_BYTES = 4 * 1024
# Of all parts of a form, beyond which its sender waits for a turn.
_LONG_HEADERS = 2 * 1024
# Of forms that take some milliseconds, of all senders together.
LONG_FORMS = Pace(0.03)
# The decoder gets slices, so that it holds the interpreter lock for a moment only. The preamble and the
# headers of a part must fit into its buffer.
_SLICE = 16 * 1024
_MAX_BUFFER = 3 * _SLICE
_ENCODED_WORD = re.compile(r"=\?.+\?=", re.DOTALL)


@dataclass(slots=True)
class Part:
    """A part of a form: some bytes of its content. file_name: None if there is none, as for a field."""

    name: str
    file_name: str | None
    start: int
    size: int = 0

    async def read(self, content: BodyBuffer, count: int | None = None) -> bytes:
        """Return the bytes of the part, or the first ones."""
        return await content.read(self.start, self.size if count is None else min(count, self.size))

    async def text(self, content: BodyBuffer) -> str:
        """Return the content of a field."""
        data = await self.read(content)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")


async def read_multipart(stream: BodyStream, content: BodyBuffer) -> list[Part]:
    """Read the parts of a form; raises MalformedBody if it is cut off, and the errors of the stream.

    content: gets the content of all parts.
    """
    max_bytes = stream.limits.max_bytes
    form = _Form(_boundary(stream.headers["content-type"]))
    try:
        async for chunk in stream.chunks(max_bytes + ENVELOPE, TooManyBytes.beyond(max_bytes)):
            await content.add(form.decode(chunk))
    except (ValueError, RequestEntityTooLarge) as error:
        raise MalformedBody(
            "The multipart form is malformed, has too many fields, or has a field that is too long."
        ) from error
    if form.header_bytes > _LONG_HEADERS:
        await asyncio.sleep(LONG_FORMS.pause())
    if not form.is_complete:
        raise MalformedBody("The multipart form is incomplete: its last boundary is missing.")
    return form.parts


def _boundary(content_type: str) -> bytes:
    if len(content_type) > _MAX_CONTENT_TYPE:
        raise MalformedBody(f"The content type is longer than {_MAX_CONTENT_TYPE} bytes.")
    _, options = parse_options_header(content_type)
    if not options.get("boundary"):
        raise MalformedBody("The content type of the multipart form names no boundary.")
    return options["boundary"].encode("latin-1", "replace")


class _Form:
    """The parts of a form that have arrived."""

    def __init__(self, boundary: bytes) -> None:
        self.parts: list[Part] = []
        self._size = 0
        self._decoder = _Decoder(boundary, _MAX_BUFFER, max_parts=_MAX_PARTS)

    @property
    def is_complete(self) -> bool:
        """Whether the last boundary has arrived. Everything after it is ignored."""
        return self._decoder.state is State.EPILOGUE

    @property
    def header_bytes(self) -> int:
        """Size of the headers of all parts so far."""
        return self._decoder.header_bytes

    def decode(self, chunk: bytes) -> bytes:
        """Return the content of parts in a chunk; raises ValueError or RequestEntityTooLarge."""
        content = []
        for start in range(0, len(chunk), _SLICE):
            if self.is_complete:
                break
            self._decoder.receive_data(chunk[start : start + _SLICE])
            content += [self._content(event) for event in self._events()]
        return b"".join(content)

    def _events(self) -> Iterator[Event]:
        while not isinstance(event := self._decoder.next_event(), NeedData):
            yield event

    def _content(self, event: Event) -> bytes:
        if isinstance(event, File):
            self.parts.append(Part(event.name or FILE_FIELD, decoded_name(event.filename), self._size))
        elif isinstance(event, Field):
            if event.name is None:
                raise ValueError("a field without a name")
            self.parts.append(Part(event.name, None, self._size))
        elif isinstance(event, Data):
            part = self.parts[-1]
            part.size += len(event.data)
            self._size += len(event.data)
            can_be_long = part.file_name is not None or part.name == FILE_FIELD
            if not can_be_long and part.size > MAX_FIELD_BYTES:
                raise ValueError("a field that is too long")
            return event.data
        return b""


class _Decoder(MultipartDecoder):
    header_bytes = 0

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        """Parse the headers of a part. curl on Windows sends file names in the code page of the system."""
        self.header_bytes += len(data)
        if self.header_bytes > _MAX_HEADER_BYTES:
            raise ValueError("headers that are too long")
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
