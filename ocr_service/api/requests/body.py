"""The body of a request: the document, or its address, and the other fields."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from ocr_service.api.requests.body_stream import ENVELOPE, BodyStream
from ocr_service.api.requests.long_strings import LongStrings, decode_document, extract_long_strings
from ocr_service.core.errors import (
    EmptyFile,
    MalformedBody,
    MediaTypeNotSupported,
    NoFile,
    RequestError,
    TooManyBytes,
)

T = TypeVar("T")

# The format of a string that is either a document in base64 or its address.
DOCUMENT = "base64-or-uri"

FILE_FIELD = "file"
URL_FIELD = "image_url"

_HOW_TO_SEND = (
    'Send the document as multipart/form-data: curl -F "file=@scan.jpg" …/ocr, '
    'or its address: curl -d "image_url=https://…" …/ocr'
)

_FIELD_TOO_LONG = "A field other than the file is too long."
_NOT_BOTH = f'Send the document as "{FILE_FIELD}" or its address as "{URL_FIELD}", not both.'

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"

_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 16 * 1024
# Two hyphens of the last boundary, and up to two line ends.
_MAX_END_BYTES = 6


@dataclass(frozen=True, slots=True)
class Body:
    """The parts of a body.

    document: its bytes or its address. fields: the other fields. name: the file's name, or "".
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
            return await _body_from(form.multi_items(), limits.max_bytes)
    if media_type == _URLENCODED:
        return await _body_from((await _urlencoded(stream)).multi_items(), limits.max_bytes)
    if media_type == _JSON:
        return await _json_body(stream)
    if media_type:
        raise MediaTypeNotSupported(f"The content type is {media_type}. {_HOW_TO_SEND}")
    raise NoFile(_HOW_TO_SEND)


async def _body_from(items: Iterable[tuple[str, UploadFile | str]], max_bytes: int) -> Body:
    """Separate the document or its address from the other fields; exactly one of the two must be present."""
    items = list(items)
    uploads = [(name, value) for name, value in items if isinstance(value, UploadFile) and _is_chosen(value)]
    fields = unique_fields((name, value) for name, value in items if isinstance(value, str))
    url = fields.pop(URL_FIELD, "").strip()
    if not uploads and not url:
        raise NoFile(_no_file_advice(fields))
    if url and (uploads or fields.pop(FILE_FIELD, "")):
        raise RequestError(_NOT_BOTH)
    if url:
        return Body(url, fields)
    return Body(await _bytes_of(uploads, max_bytes), fields, uploads[0][1].filename or "")


def _is_chosen(upload: UploadFile) -> bool:
    """Whether the user chose a file; if not, browsers send an empty one without a name."""
    return bool(upload.filename or upload.size)


async def _bytes_of(uploads: list[tuple[str, UploadFile]], max_bytes: int) -> bytes:
    if len(uploads) > 1 or uploads[0][0] != FILE_FIELD:
        raise RequestError(f'Send one document per request, in the field "{FILE_FIELD}".')
    data = await uploads[0][1].read()
    if not data:
        raise EmptyFile("The file has no bytes.")
    if len(data) > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    return data


async def read_json(stream: BodyStream, max_rest: int = ENVELOPE) -> tuple[Any, LongStrings]:
    """Read JSON that can contain documents in base64, of `limits.max_bytes` in total.

    Return its value, with placeholders for long strings, and these strings. max_rest: maximum size of the
    JSON without them. Raises the errors of `read_body`.
    """
    max_bytes = stream.limits.max_bytes
    # Base64 is a third longer than the bytes, and can contain line ends.
    max_body = max_bytes * 3 // 2 + max_rest
    raw = bytearray()
    async for chunk in stream.chunks(max_body, TooManyBytes.beyond(max_bytes)):
        raw += chunk
    return await asyncio.to_thread(_parse, raw, max_rest)


def _parse(raw: bytearray, max_rest: int) -> tuple[Any, LongStrings]:
    rest, strings = extract_long_strings(raw, max_rest)
    try:
        value = json.loads(rest, object_pairs_hook=unique_fields)
        # JSON can contain lone surrogates; they would fail later, where the text is encoded.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise MalformedBody("The body is not well-formed JSON.") from None
    return value, strings


async def _json_body(stream: BodyStream) -> Body:
    """Read an object with a file or an address, and other fields."""
    fields, strings = await read_json(stream)
    if not isinstance(fields, dict):
        raise RequestError(f'The JSON body must be an object with "{FILE_FIELD}" or "{URL_FIELD}".')
    if fields.keys() >= {FILE_FIELD, URL_FIELD}:
        raise RequestError(_NOT_BOTH)
    file, url = fields.pop(FILE_FIELD, None) or "", fields.pop(URL_FIELD, None) or ""
    if not isinstance(file, str) or not isinstance(url, str):
        raise RequestError(
            f'"{FILE_FIELD}" must be a string with base64 or an address, "{URL_FIELD}" with an address.'
        )
    if not (file or url.strip()):
        raise NoFile(_HOW_TO_SEND)
    if strings.placeholders - {file}:
        raise TooManyBytes(_FIELD_TOO_LONG)
    if not file:
        return Body(url.strip(), _as_form_fields(fields))
    document = await asyncio.to_thread(decode_document, strings.content(file), stream.limits.max_bytes)
    return Body(document, _as_form_fields(fields))


def _as_form_fields(fields: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an object as a form has them: as text, or as JSON in a text."""
    try:
        texts = {name: _text(value) for name, value in fields.items()}
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None
    if any(len(text) > _MAX_FIELD_BYTES for text in texts.values()):
        raise TooManyBytes(_FIELD_TOO_LONG)
    return texts


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


async def _urlencoded(stream: BodyStream) -> FormData:
    body = stream.chunks(ENVELOPE, _too_long())
    parser = FormParser(stream.headers, body, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise MalformedBody("The form has too many fields, or a field that is too long.") from error


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
        _complete_form(stream),
        max_files=_MAX_FIELDS,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    # The file is needed in memory anyway; a temporary file could fail on a full disk.
    parser.spool_max_size = stream.limits.max_bytes + ENVELOPE
    try:
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise MalformedBody(
            "The multipart form is malformed, has too many fields, or has a field that is too long."
        ) from error


async def _complete_form(stream: BodyStream) -> AsyncGenerator[bytes]:
    """Yield the chunks of the form; raises MalformedBody if the last boundary is missing.

    Without this check, the parser would only report a missing file.
    """
    max_bytes = stream.limits.max_bytes
    tail = b""
    async for chunk in stream.chunks(max_bytes + ENVELOPE, TooManyBytes.beyond(max_bytes)):
        tail = (tail + chunk[-_MAX_END_BYTES:])[-_MAX_END_BYTES:]
        yield chunk
    if not tail.rstrip(b"\r\n").endswith(b"--"):
        raise MalformedBody("The multipart form is incomplete: its last boundary is missing.")


def unique_fields(items: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return the fields by name; raises RequestError if one is given twice."""
    fields: dict[str, T] = {}
    for name, value in items:
        if name in fields:
            raise RequestError(f"The field {name!r} is given twice.")
        fields[name] = value
    return fields


def _no_file_advice(fields: dict[str, str]) -> str:
    if FILE_FIELD in fields:
        return f'The field "file" contains text. With curl, put an @ before the name. {_HOW_TO_SEND}'
    return _HOW_TO_SEND


def _too_long() -> TooManyBytes:
    return TooManyBytes("A body without a file can have up to 1 MiB. Send a file as multipart/form-data.")
