"""The body of a request: the document, or its address, and the other fields."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from ocr_service.api.requests.body_buffer import BodyBuffer
from ocr_service.api.requests.body_stream import BodyStream
from ocr_service.api.requests.json_outline import DEFAULT, JsonLimits, Outline
from ocr_service.api.requests.long_strings import LongStrings, extract_long_strings
from ocr_service.api.requests.multipart import FILE_FIELD, LONG_FORMS, MAX_FIELD_BYTES, Part, read_multipart
from ocr_service.core.errors import (
    EmptyFile,
    MalformedBody,
    MediaTypeNotSupported,
    NoFile,
    NotADocument,
    RequestError,
    TooManyBytes,
    TypeNotSupported,
)
from ocr_service.decoding.signatures import identify
from ocr_service.runtime.memory import SMALL_COLLECTIONS, release
from ocr_service.sources.source import trimmed

T = TypeVar("T")
CheckNames = Callable[[Iterable[str]], None]

# The format of a string that is either a document in base64 or its address.
DOCUMENT = "base64-or-uri"

URL_FIELD = "image_url"
# The names of the address; the second is the usual one in other APIs.
URL_FIELDS = (URL_FIELD, "url")

_HOW_TO_SEND = (
    'Send the document as multipart/form-data: curl -F "file=@scan.jpg" …/ocr, '
    "as the body: curl --data-binary @scan.jpg …/ocr, "
    'or its address: curl -d "image_url=https://…" …/ocr'
)

_USE_DATA_BINARY = "curl -d removes line ends from a file; use --data-binary instead."
_FIELD_TOO_LONG = "A field other than the file is too long."
_NOT_BOTH = f'Send the document as "{FILE_FIELD}" or its address as "{URL_FIELD}", not both.'

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"
# With these types, or without a type, a body is the document even if its first bytes are unknown.
_FILE_TYPES = ("", "application/octet-stream", "application/pdf")

_MAX_FIELDS = 64
# Of a form without a file. Its escapes are decoded one by one.
_MAX_FORM = 64 * 1024
# Beyond this, its sender waits for a turn.
_LONG_FORM = 4 * 1024
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# The header of a PDF can be preceded by up to a kilobyte.
_MAX_SIGNATURE = 2048


@dataclass(frozen=True)
class Body:
    """The parts of a body.

    document: its bytes or its address. fields: the other fields. name: the file's name, or "".
    """

    document: bytes | str
    fields: dict[str, str]
    name: str = ""


async def read_body(stream: BodyStream, check_names: CheckNames) -> Body:
    """Read a form, JSON, or the document itself; raises RequestError, TooManyBytes or UploadTooSlow.

    check_names: raises RequestError for the name of a field that does not exist.
    """
    media_type = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _JSON:
        return await _json_body(stream, check_names)
    with stream.buffer() as content:
        if media_type == _MULTIPART:
            parts = await read_multipart(stream, content)
            return await _body_of(parts, content, stream.limits.max_bytes, check_names)
        return await _plain_body(stream, content, media_type, check_names)


def is_document(data: bytes) -> bool:
    """Whether the first bytes are those of a known type of file."""
    try:
        identify(data[:_MAX_SIGNATURE])
    except TypeNotSupported:
        return True
    except NotADocument:
        return False
    return True


async def _body_of(parts: list[Part], content: BodyBuffer, max_bytes: int, check_names: CheckNames) -> Body:
    """Return the parts of a multipart form as a body; it must have either a document or an address."""
    files = [part for part in parts if await _is_file(part, content)]
    fields = unique_fields([(part.name, await part.text(content)) for part in parts if part not in files])
    # In a form without a file, browsers send an empty one without a name.
    chosen = [part for part in files if part.file_name or part.size]
    address = _take_address(fields, has_file=bool(chosen))
    check_names(fields.keys() - {FILE_FIELD})
    if address:
        return Body(address, fields)
    if not chosen:
        raise NoFile(_no_file_advice(fields))
    return Body(await _bytes_of(chosen, content, max_bytes), fields, chosen[0].file_name or "")


async def _is_file(part: Part, content: BodyBuffer) -> bool:
    """Whether the part is a document. Some clients send it without a file name."""
    if part.file_name is not None or part.name != FILE_FIELD:
        return part.file_name is not None
    return part.size > MAX_FIELD_BYTES or is_document(await part.read(content, _MAX_SIGNATURE))


async def _bytes_of(files: list[Part], content: BodyBuffer, max_bytes: int) -> bytes:
    if len(files) > 1 or files[0].name != FILE_FIELD:
        names = ", ".join(repr(part.name) for part in files)
        raise RequestError(f'Send one document per request, in the field "{FILE_FIELD}"; there is: {names}.')
    if not files[0].size:
        raise EmptyFile("The file has no bytes.")
    if files[0].size > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    return await files[0].read(content)


def _take_address(fields: dict[str, Any], *, has_file: bool) -> str:
    """Remove the address from the fields and return it, or ""; it must be the only one, without a file."""
    addresses = [fields.pop(name) for name in URL_FIELDS if name in fields]
    if not all(address is None or isinstance(address, str) for address in addresses):
        raise RequestError(f'"{URL_FIELD}" must be a string with an address.')
    given = [trimmed(address) for address in addresses if address and address.strip()]
    if len(given) > 1:
        raise RequestError(f"The address is given twice: {' and '.join(URL_FIELDS)} are the same field.")
    if given and (has_file or fields.pop(FILE_FIELD, None)):
        raise RequestError(_NOT_BOTH)
    return given[0] if given else ""


async def _plain_body(
    stream: BodyStream, content: BodyBuffer, media_type: str, check_names: CheckNames
) -> Body:
    """Read a body that is the document itself, or a form as `curl -d` sends it.

    `curl --data-binary` and `wget --post-file` call a document a form too, so its first bytes decide.
    """
    max_bytes = stream.limits.max_bytes
    head = b""
    async for chunk in stream.chunks(max_bytes, TooManyBytes.beyond(max_bytes)):
        await content.add(chunk)
        if len(head) < _MAX_SIGNATURE:
            head += chunk[:_MAX_SIGNATURE]
        if media_type == _URLENCODED and content.size > _MAX_FORM and not is_document(head):
            raise _too_long()
    data = await content.read()
    if is_document(head):
        _check_line_ends(data, media_type)
        return Body(data, {})
    if media_type == _URLENCODED:
        return await _form_body(data, check_names)
    if not data:
        raise NoFile(_HOW_TO_SEND)
    if media_type in _FILE_TYPES or media_type.startswith("image/"):
        return Body(data, {})
    raise MediaTypeNotSupported(f"The content type is {media_type}. {_HOW_TO_SEND}")


def _check_line_ends(data: bytes, media_type: str) -> None:
    """Refuse a document from which `curl -d` has removed line ends and null bytes: it would be misread."""
    if media_type == _URLENCODED and not any(data.find(byte) >= 0 for byte in (b"\n", b"\r", b"\0")):
        raise MalformedBody(f"The document has no line ends. {_USE_DATA_BINARY}")


async def _form_body(data: bytes, check_names: CheckNames) -> Body:
    if len(data) > _LONG_FORM:
        await asyncio.sleep(LONG_FORMS.pause())
    return await asyncio.to_thread(_urlencoded, data, check_names)


def _urlencoded(data: bytes, check_names: CheckNames) -> Body:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise MalformedBody(f"The body is neither a form nor a document. {_USE_DATA_BINARY}") from None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise MalformedBody(f"The form has more than {_MAX_FIELDS} fields.") from None
    if any(len(name) + len(value) > MAX_FIELD_BYTES for name, value in pairs):
        raise MalformedBody("The form has a field that is too long.")
    fields = unique_fields(pairs)
    address = _take_address(fields, has_file=False)
    check_names(fields.keys() - {FILE_FIELD})
    if not address:
        raise NoFile(_no_file_advice(fields))
    return Body(address, fields)


async def read_json(stream: BodyStream, limits: JsonLimits = DEFAULT) -> tuple[Any, LongStrings]:
    """Read JSON that can contain documents in base64, of `stream.limits.max_bytes` in total.

    Return its value, with placeholders for long strings, and these strings. Raises the errors of `read_body`.
    """
    max_bytes = stream.limits.max_bytes
    # Base64 is a third longer than the bytes, and can contain line ends.
    max_body = max_bytes * 3 // 2 + limits.size
    with stream.buffer() as content:
        async for chunk in stream.chunks(max_body, TooManyBytes.beyond(max_bytes)):
            await content.add(chunk)
        raw = await content.read()
    outline = Outline(limits.values)
    rest, strings = await stream.compute(len(raw), extract_long_strings, raw, limits.size, outline)
    stream.memory.hold(outline.memory)
    return await stream.compute(outline.memory, _parse, rest), strings


def _parse(text: bytes) -> Any:
    objects: list[Any] = []

    def to_object(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = unique_fields(items)
        objects.append(made)
        return made

    try:
        with SMALL_COLLECTIONS:
            # Decoded first: in UTF-16, which the parser would accept, the outline sees other strings.
            value = json.loads(str(text, "utf-8-sig"), object_pairs_hook=to_object)
        if _SURROGATE.search(text):
            # JSON can contain lone surrogates; they would fail later, where the text is encoded.
            _check_texts(value)
    except ValueError:
        release(objects)
        raise MalformedBody("The body is not well-formed JSON.") from None
    except RequestError:
        release(objects)
        raise
    return value


def _check_texts(value: Any) -> None:
    """Raise ValueError if a text cannot be encoded. In Python, so that other threads run in between."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            part.encode()
        elif isinstance(part, dict):
            left += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            left += part


async def _json_body(stream: BodyStream, check_names: CheckNames) -> Body:
    """Read an object with a file or an address, and other fields."""
    fields, strings = await read_json(stream)
    if not isinstance(fields, dict):
        raise RequestError(f'The JSON body must be an object with "{FILE_FIELD}" or "{URL_FIELD}".')
    address = _take_address(fields, has_file=False)
    file = fields.pop(FILE_FIELD, None) or ""
    check_names(fields)
    if not isinstance(file, str):
        raise RequestError(f'"{FILE_FIELD}" must be a string with base64 or an address.')
    if not (file or address):
        raise NoFile(_HOW_TO_SEND)
    if strings.placeholders - {file}:
        raise TooManyBytes(_FIELD_TOO_LONG)
    if address:
        return Body(address, _as_form_fields(fields))
    document = await stream.compute(strings.size, strings.document, file, stream.limits.max_bytes)
    return Body(document, _as_form_fields(fields))


def _as_form_fields(fields: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an object as a form has them: as text, or as JSON in a text."""
    texts = {name: _text(value) for name, value in fields.items()}
    if any(len(text) > MAX_FIELD_BYTES for text in texts.values()):
        raise TooManyBytes(_FIELD_TOO_LONG)
    return texts


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


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
    return TooManyBytes("A form without a file can have up to 64 KiB. Send a file as multipart/form-data.")
