"""A request's body, read within the limit: bytes are counted while they arrive."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from ocr_service.errors import (
    EmptyFile,
    MalformedBody,
    MediaTypeNotSupported,
    NoFile,
    RequestError,
    TooManyBytes,
    UploadTooSlow,
)
from ocr_service.routes.encoded import Cut, cut_long_strings, document_of

Hold = Callable[[int], None]
T = TypeVar("T")

FILE_FIELD = "file"
URL_FIELD = "image_url"

_HOW_TO_SEND = (
    'Send the document as multipart/form-data: curl -F "file=@scan.jpg" …/ocr, '
    'or its address: curl -d "image_url=https://…" …/ocr'
)

_NOT_BOTH = f'Send the document as "{FILE_FIELD}" or its address as "{URL_FIELD}", not both.'

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"

_MOST_FIELDS = 64
_MOST_BYTES_A_FIELD = 16 * 1024
# Boundaries, part headers and the other fields, beside the file; a body without a file has no more.
ENVELOPE = 1024 * 1024
# The last boundary's two hyphens, and a line end or two.
_LONGEST_END = 6


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """max_bytes: of the largest file. idle_seconds: between two pieces. bytes_per_second: the least average.

    A body may lag behind that average by `idle_seconds`, so that none need hurry at its start.
    """

    max_bytes: int
    idle_seconds: float
    bytes_per_second: int

    def patience(self, arrived: int, seconds: float) -> float:
        """Return for how long the next piece is waited for, once so many bytes arrived in so many seconds."""
        earned = arrived / self.bytes_per_second
        return min(self.idle_seconds, max(0.0, self.idle_seconds + earned - seconds))


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent.

    document: its bytes, or its address. fields: the other fields, each given once. name: the file's, or "".
    """

    document: bytes | str
    fields: dict[str, str]
    name: str = ""


async def read_body(request: Request, limits: BodyLimits, hold: Hold) -> Body:
    """Read a form or JSON; raises RequestError, and TooManyBytes or UploadTooSlow as soon as it is so.

    hold: told of bytes before they are kept; what it raises ends the reading.
    """
    arriving = _Arriving(request, limits, hold)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _MULTIPART:
        async with _multipart(arriving) as form:
            return await _body_of(form.multi_items(), limits.max_bytes)
    if media_type == _URLENCODED:
        return await _body_of((await _urlencoded(arriving)).multi_items(), limits.max_bytes)
    if media_type == _JSON:
        return await _json_body(arriving)
    if media_type:
        raise MediaTypeNotSupported(f"The content type is {media_type}. {_HOW_TO_SEND}")
    raise NoFile(_HOW_TO_SEND)


async def _body_of(items: Iterable[tuple[str, UploadFile | str]], max_bytes: int) -> Body:
    """Tell the document, or its address, from the other fields: exactly one of the two must be there."""
    items = list(items)
    uploads = [(name, value) for name, value in items if isinstance(value, UploadFile) and _is_chosen(value)]
    fields = each_once((name, value) for name, value in items if isinstance(value, str))
    url = fields.pop(URL_FIELD, "").strip()
    if not uploads and not url:
        raise NoFile(_no_file_advice(fields))
    if url and (uploads or fields.pop(FILE_FIELD, "")):
        raise RequestError(_NOT_BOTH)
    if url:
        return Body(url, fields)
    return Body(await _bytes_of(uploads, max_bytes), fields, uploads[0][1].filename or "")


def _is_chosen(upload: UploadFile) -> bool:
    """Whether there is a file: where nobody chose one, browsers send one without a name and without bytes."""
    return bool(upload.filename or upload.size)


async def _bytes_of(uploads: list[tuple[str, UploadFile]], max_bytes: int) -> bytes:
    if len(uploads) > 1 or uploads[0][0] != FILE_FIELD:
        raise RequestError(f'Send one document a request, in the field "{FILE_FIELD}".')
    data = await uploads[0][1].read()
    if not data:
        raise EmptyFile("The file has no bytes.")
    if len(data) > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    return data


async def read_json(
    request: Request, limits: BodyLimits, hold: Hold, most_beside: int = ENVELOPE
) -> tuple[Any, Cut]:
    """Read JSON that may hold documents in base64, of `limits.max_bytes` together, and some bytes beside.

    Return its value, in which long strings have names, and what they stand for. Raises MalformedBody, and
    what `read_body` does.
    """
    return await _json(_Arriving(request, limits, hold), most_beside)


async def _json(arriving: "_Arriving", most_beside: int = ENVELOPE) -> tuple[Any, Cut]:
    max_bytes = arriving.limits.max_bytes
    # Half as much again: base64 takes a third more, and may have line ends in it.
    longest = max_bytes * 3 // 2 + most_beside
    raw = bytearray()
    async for chunk in arriving.chunks(longest, TooManyBytes.beyond(max_bytes)):
        raw += chunk
    return await asyncio.to_thread(_parsed, raw, most_beside)


def _parsed(raw: bytearray, most_beside: int) -> tuple[Any, Cut]:
    cut = cut_long_strings(raw, most_beside)
    try:
        value = json.loads(cut.rest, object_pairs_hook=each_once)
        # Halves of characters, which JSON can hold, would fail wherever the text goes on.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise MalformedBody("The body is not well-formed JSON.") from None
    return value, cut


async def _json_body(arriving: "_Arriving") -> Body:
    """Read an object with a file, or its address, and other fields."""
    fields, cut = await _json(arriving)
    if not isinstance(fields, dict):
        raise RequestError(f'A JSON body is an object with "{FILE_FIELD}" or "{URL_FIELD}" and other fields.')
    if fields.keys() >= {FILE_FIELD, URL_FIELD}:
        raise RequestError(_NOT_BOTH)
    file, url = fields.pop(FILE_FIELD, None) or "", fields.pop(URL_FIELD, None) or ""
    if not isinstance(file, str) or not isinstance(url, str):
        raise RequestError(f'"{FILE_FIELD}" is base64 or an address, "{URL_FIELD}" an address, as a string.')
    if not (file or url.strip()):
        raise NoFile(_HOW_TO_SEND)
    if cut.long.keys() - {file}:
        raise TooManyBytes("No field but the file is that long.")
    if not file:
        return Body(url.strip(), _as_a_forms(fields))
    document = await asyncio.to_thread(document_of, cut.content(file), arriving.limits.max_bytes)
    return Body(document, _as_a_forms(fields))


def _as_a_forms(fields: dict[str, Any]) -> dict[str, str]:
    """Return an object's fields, each as a form would have it, and no longer: what is no text as JSON."""
    try:
        texts = {name: _text(value) for name, value in fields.items()}
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    if any(len(text) > _MOST_BYTES_A_FIELD for text in texts.values()):
        raise TooManyBytes("No field but the file is that long.")
    return texts


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


async def _urlencoded(arriving: "_Arriving") -> FormData:
    body = arriving.chunks(ENVELOPE, _too_long())
    parser = FormParser(arriving.headers, body, max_fields=_MOST_FIELDS, max_part_size=_MOST_BYTES_A_FIELD)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise MalformedBody("The form has too many fields, or one that is too long.") from error


@asynccontextmanager
async def _multipart(arriving: "_Arriving") -> AsyncIterator[FormData]:
    form = await _parse_multipart(arriving)
    try:
        yield form
    finally:
        await form.close()


async def _parse_multipart(arriving: "_Arriving") -> FormData:
    parser = MultiPartParser(
        arriving.headers,
        _whole_form(arriving),
        max_files=_MOST_FIELDS,
        max_fields=_MOST_FIELDS,
        max_part_size=_MOST_BYTES_A_FIELD,
    )
    # The file is wanted whole in memory anyway, and must not depend on room in the temporary folder.
    parser.spool_max_size = arriving.limits.max_bytes + ENVELOPE
    try:
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise MalformedBody(
            "The multipart form is not well-formed, has too many fields, or one that is too long."
        ) from error


async def _whole_form(arriving: "_Arriving") -> AsyncGenerator[bytes]:
    """Yield the form's chunks.

    A form whose last boundary never came raises MalformedBody: its parser would only miss the file.
    """
    max_bytes = arriving.limits.max_bytes
    tail = b""
    async for chunk in arriving.chunks(max_bytes + ENVELOPE, TooManyBytes.beyond(max_bytes)):
        tail = (tail + chunk[-_LONGEST_END:])[-_LONGEST_END:]
        yield chunk
    if not tail.rstrip(b"\r\n").endswith(b"--"):
        raise MalformedBody("The multipart form is cut off: its last boundary is missing.")


class _Arriving:
    """A body on its way to us."""

    def __init__(self, request: Request, limits: BodyLimits, hold: Hold) -> None:
        self.headers = request.headers
        self.limits = limits
        self._request = request
        self._hold = hold

    async def chunks(self, max_bytes: int, refusal: TooManyBytes) -> AsyncGenerator[bytes]:
        """Yield the body's chunks; raises the refusal before the one that passes the limit is kept."""
        announced = self.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes:
            raise refusal
        arrived = 0
        async for chunk in _in_step(self._request.stream(), self.limits):
            arrived += len(chunk)
            if arrived > max_bytes:
                raise refusal
            self._hold(len(chunk))
            yield chunk


async def _in_step(chunks: AsyncGenerator[bytes], limits: BodyLimits) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises UploadTooSlow for those that trickle."""
    began = time.monotonic()
    arrived = 0
    while True:
        try:
            async with asyncio.timeout(limits.patience(arrived, time.monotonic() - began)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise UploadTooSlow(
                f"The body must come at {limits.bytes_per_second} bytes a second on the average, "
                f"and without pauses of more than {limits.idle_seconds:g} s."
            ) from None
        if chunk is None:
            return
        arrived += len(chunk)
        yield chunk


async def discard_body(request: Request, limits: BodyLimits) -> None:
    """Read what is sent and keep none of it: for an answer after which the connection is closed.

    Who is still sending when the connection closes would not see the answer.
    """
    with suppress(RequestError):
        async for _ in _Arriving(request, limits, lambda _: None).chunks(
            limits.max_bytes, TooManyBytes.beyond(limits.max_bytes)
        ):
            pass


def each_once(items: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return the fields by name; raises RequestError for one given twice, as either could be meant."""
    fields: dict[str, T] = {}
    for name, value in items:
        if name in fields:
            raise RequestError(f"The field {name!r} is given twice.")
        fields[name] = value
    return fields


def _no_file_advice(fields: dict[str, str]) -> str:
    if FILE_FIELD in fields:
        return f'The field "file" holds text: with curl, an @ stands before the name. {_HOW_TO_SEND}'
    return _HOW_TO_SEND


def _too_long() -> TooManyBytes:
    return TooManyBytes("A body without a file is at most 1 MiB long; a file goes as multipart/form-data.")
