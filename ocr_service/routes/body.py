"""A request's form, read within the limit: bytes are counted while they arrive."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ocr_service.errors import (
    EmptyFile,
    MalformedBody,
    MediaTypeNotSupported,
    NoFile,
    RequestError,
    TooManyBytes,
)

FILE_FIELD = "file"

_HOW_TO_SEND = 'Send the document as multipart/form-data: curl -F "file=@scan.jpg" …/ocr'

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"

_MOST_FIELDS = 64
_MOST_BYTES_A_FIELD = 16 * 1024
# Boundaries, part headers and the other fields, beside the file.
_ENVELOPE = 1024 * 1024
# The last boundary's two hyphens, and a line end or two.
_LONGEST_END = 6


@dataclass(frozen=True, slots=True)
class Upload:
    """data: the file's bytes. fields: the form's other fields, each given once."""

    data: bytes
    fields: dict[str, str]


async def read_upload(request: Request, max_bytes: int) -> Upload:
    """Read the one file of a multipart form; raises RequestError, TooManyBytes as soon as it is passed."""
    async with _form(request, max_bytes) as form:
        uploads = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        fields = each_once((name, value) for name, value in form.multi_items() if isinstance(value, str))
        if not uploads:
            raise NoFile(_no_file_advice(fields))
        if len(uploads) > 1 or uploads[0][0] != FILE_FIELD:
            raise RequestError('Send one document a request, in the field "file".')
        data = await uploads[0][1].read()
    if not data:
        raise EmptyFile("The file has no bytes.")
    if len(data) > max_bytes:
        raise _too_many(max_bytes)
    return Upload(data, fields)


@asynccontextmanager
async def _form(request: Request, max_bytes: int) -> AsyncIterator[FormData]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in ("", _URLENCODED):
        raise NoFile(_HOW_TO_SEND)
    if media_type != _MULTIPART:
        raise MediaTypeNotSupported(f"The content type is {media_type}. {_HOW_TO_SEND}")
    form = await _parse_multipart(request, _whole_form(request, max_bytes), max_bytes)
    try:
        yield form
    finally:
        await form.close()


async def _parse_multipart(request: Request, body: AsyncGenerator[bytes], max_bytes: int) -> FormData:
    parser = MultiPartParser(
        request.headers,
        body,
        max_files=_MOST_FIELDS,
        max_fields=_MOST_FIELDS,
        max_part_size=_MOST_BYTES_A_FIELD,
    )
    # The file is wanted whole in memory anyway, and must not depend on room in the temporary folder.
    parser.spool_max_size = max_bytes + _ENVELOPE
    try:
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise MalformedBody(
            "The multipart form is not well-formed, has too many fields, or one that is too long."
        ) from error


async def _whole_form(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the body's chunks; raises TooManyBytes before the one that passes the limit is kept.

    A form whose last boundary never came raises MalformedBody: its parser would only miss the file.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes + _ENVELOPE:
        raise _too_many(max_bytes)
    arrived, tail = 0, b""
    async for chunk in request.stream():
        arrived += len(chunk)
        if arrived > max_bytes + _ENVELOPE:
            raise _too_many(max_bytes)
        tail = (tail + chunk[-_LONGEST_END:])[-_LONGEST_END:]
        yield chunk
    if not tail.rstrip(b"\r\n").endswith(b"--"):
        raise MalformedBody("The multipart form is cut off: its last boundary is missing.")


def each_once(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the fields by name; raises RequestError for one given twice, as either could be meant."""
    fields: dict[str, str] = {}
    for name, value in items:
        if name in fields:
            raise RequestError(f"The field {name!r} is given twice.")
        fields[name] = value
    return fields


def _no_file_advice(fields: dict[str, str]) -> str:
    if FILE_FIELD in fields:
        return f'The field "file" holds text: with curl, an @ stands before the name. {_HOW_TO_SEND}'
    return _HOW_TO_SEND


def _too_many(max_bytes: int) -> TooManyBytes:
    return TooManyBytes(f"Files of up to {max_bytes // 2**20} MiB are accepted.")
