"""A request's body as values: the document, or its address, and the other fields."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from ocr_service.api.requests.body_stream import ENVELOPE, BodyStream
from ocr_service.api.requests.long_strings import Cut, cut_long_strings, document_of
from ocr_service.core.errors import (
    EmptyFile,
    MalformedBody,
    MediaTypeNotSupported,
    NoFile,
    RequestError,
    TooManyBytes,
)

T = TypeVar("T")

# What a string holds that is a document in base64, or its address.
DOCUMENT = "base64-or-uri"

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
# The last boundary's two hyphens, and a line end or two.
_LONGEST_END = 6


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent.

    document: its bytes, or its address. fields: the other fields, each given once. name: the file's, or "".
    """

    document: bytes | str
    fields: dict[str, str]
    name: str = ""


async def read_body(stream: BodyStream) -> Body:
    """Read a form or JSON; raises RequestError, TooManyBytes or UploadTooSlow."""
    limits = stream.limits
    media_type = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _MULTIPART:
        async with _multipart(stream) as form:
            return await _body_of(form.multi_items(), limits.max_bytes)
    if media_type == _URLENCODED:
        return await _body_of((await _urlencoded(stream)).multi_items(), limits.max_bytes)
    if media_type == _JSON:
        return await _json_body(stream)
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


async def read_json(stream: BodyStream, most_beside: int = ENVELOPE) -> tuple[Any, Cut]:
    """Read JSON that may hold documents in base64, of `limits.max_bytes` together, and some bytes beside.

    Return its value, in which long strings have names, and what they stand for. Raises MalformedBody, and
    what `read_body` does.
    """
    max_bytes = stream.limits.max_bytes
    # Half as much again: base64 takes a third more, and may have line ends in it.
    longest = max_bytes * 3 // 2 + most_beside
    raw = bytearray()
    async for chunk in stream.chunks(longest, TooManyBytes.beyond(max_bytes)):
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


async def _json_body(stream: BodyStream) -> Body:
    """Read an object with a file, or its address, and other fields."""
    fields, cut = await read_json(stream)
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
    document = await asyncio.to_thread(document_of, cut.content(file), stream.limits.max_bytes)
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


async def _urlencoded(stream: BodyStream) -> FormData:
    body = stream.chunks(ENVELOPE, _too_long())
    parser = FormParser(stream.headers, body, max_fields=_MOST_FIELDS, max_part_size=_MOST_BYTES_A_FIELD)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise MalformedBody("The form has too many fields, or one that is too long.") from error


@asynccontextmanager
async def _multipart(stream: BodyStream) -> AsyncIterator[FormData]:
    form = await _parse_multipart(stream)
    try:
        yield form
    finally:
        await form.close()


async def _parse_multipart(stream: BodyStream) -> FormData:
    parser = MultiPartParser(
        stream.headers,
        _whole_form(stream),
        max_files=_MOST_FIELDS,
        max_fields=_MOST_FIELDS,
        max_part_size=_MOST_BYTES_A_FIELD,
    )
    # The file is wanted whole in memory anyway, and must not depend on room in the temporary folder.
    parser.spool_max_size = stream.limits.max_bytes + ENVELOPE
    try:
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise MalformedBody(
            "The multipart form is not well-formed, has too many fields, or one that is too long."
        ) from error


async def _whole_form(stream: BodyStream) -> AsyncGenerator[bytes]:
    """Yield the form's chunks.

    A form whose last boundary never came raises MalformedBody: its parser would only miss the file.
    """
    max_bytes = stream.limits.max_bytes
    tail = b""
    async for chunk in stream.chunks(max_bytes + ENVELOPE, TooManyBytes.beyond(max_bytes)):
        tail = (tail + chunk[-_LONGEST_END:])[-_LONGEST_END:]
        yield chunk
    if not tail.rstrip(b"\r\n").endswith(b"--"):
        raise MalformedBody("The multipart form is cut off: its last boundary is missing.")


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
