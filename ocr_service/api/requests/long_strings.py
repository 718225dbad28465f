"""Documents in JSON: long strings are extracted before the JSON is parsed.

The parser would hold the interpreter lock for a whole document, and copy it. For a body of the same size that
is not a document, it would need many times as much memory. So only the base64 decoder reads long strings.
"""

import binascii
import json
import math
import re
import secrets
from collections.abc import Mapping, Set
from typing import Any

from ocr_service.api.requests.json_outline import Outline
from ocr_service.core.errors import EmptyFile, MalformedBody, RequestError, TooManyBytes
from ocr_service.runtime.memory import preallocated
from ocr_service.sources.source import trimmed

_LONG = 64 * 1024
# Searches and decoders hold the interpreter lock too, so they work in chunks; other threads run in between.
# Escapes take longer.
_WINDOW, _CHUNK, _ESCAPED_CHUNK = 2**14, 2**14, 2**13
# They match in linear time: nothing is tried twice.
_CHARACTERS = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WHOLE_STRINGS = re.compile(rb'(?:[^"]++|%b)*+' % _STRING.pattern, re.DOTALL)
# A character beyond the basic plane is a pair of escapes: \uD83D\uDE00.
_ESCAPE, _MAX_ESCAPES = 6, 12
_LOW_SURROGATE = re.compile(rb"\\u[dD][c-fC-F]")
_SPACES = b" \t\r\n"
_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_DATA_URL = re.compile(rb"\s*data:[^,]{0,200};base64\s*,", re.IGNORECASE)
_MAX_DATA_URL_HEAD = 300
_MAX_SCHEME = 16

Bytes = bytes | memoryview


class LongStrings:
    """The strings that were extracted from JSON, by their placeholders."""

    def __init__(self, strings: Mapping[str, memoryview]) -> None:
        self._strings = strings

    @property
    def placeholders(self) -> Set[str]:
        """The strings that replace the long ones in the JSON."""
        return self._strings.keys()

    @property
    def size(self) -> int:
        """Bytes of all these strings."""
        return sum(map(len, self._strings.values()))

    def content(self, text: str) -> Bytes:
        """Return the string for a placeholder, or the text itself if it is none; raises MalformedBody."""
        raw = self._strings.get(text)
        if raw is None:
            return text.encode()
        # Some encoders escape every slash, or write line ends as escapes.
        return _unescaped(raw) if _has_escape(raw) else raw

    def document(self, text: str, max_bytes: int) -> bytes | str:
        """Return the document or the address in a string; raises as `content` and `decode_document`.

        Not for the event loop: escapes and base64 of a long document take a while.
        """
        return decode_document(self.content(text), max_bytes)

    def restore(self, value: Any) -> Any:
        """Return a JSON value with the original strings for the placeholders."""
        if not self._strings:
            return value
        if isinstance(value, dict):
            return {name: self.restore(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.restore(part) for part in value]
        is_placeholder = isinstance(value, str) and value in self._strings
        return str(self.content(value), "utf-8") if is_placeholder else value


def extract_long_strings(raw: bytes, max_rest: int, outline: Outline) -> tuple[bytes, LongStrings]:
    """Return the JSON with placeholders for long strings, and these strings. Not for the event loop.

    outline: gets the text between the strings. Raises TooManyBytes if the JSON without the long strings has
    more than `max_rest` bytes or too many values, and MalformedBody if it is nested too deeply.
    """
    view = memoryview(raw)
    rest, strings = bytearray(), dict[str, memoryview]()
    prefix, copied, extracted = secrets.token_hex(8), 0, 0
    position = end = 0
    while position < len(raw) and position - extracted <= max_rest:
        window = min(position + _WINDOW, len(raw))
        start = _end_of(_WHOLE_STRINGS, raw, position)
        outline.add(_STRING.sub(b"", view[position:start]))
        if start == window:
            position = window
            continue
        end = _end_of_string(raw, start)
        if end < 0:
            break
        if end - start > _LONG:
            placeholder = f"{prefix}-{len(strings)}"
            rest += view[copied : start + 1]
            rest += placeholder.encode()
            strings[placeholder] = view[start + 1 : end]
            copied, extracted = end, extracted + end - start
        position = end + 1
    if len(raw) - extracted > max_rest:
        raise TooManyBytes(f"Without the document, a JSON body can have up to {max_rest // 2**20} MiB.")
    if end < 0:
        raise MalformedBody("The body is not well-formed JSON: a string has no end.")
    outline.check()
    rest += view[copied:]
    return bytes(rest), LongStrings(strings)


def decode_document(content: Bytes, max_bytes: int) -> bytes | str:
    """Return the bytes of a document, or its address; raises RequestError, EmptyFile or TooManyBytes.

    Not for the event loop, because a long document takes a while.
    """
    if b"://" in bytes(content[:_MAX_SCHEME]):
        return trimmed(str(content, "utf-8", "replace"))
    data = decode_base64(content, max_bytes)
    if not data:
        raise EmptyFile("The file has no bytes.")
    return data


def decode_base64(content: Bytes, max_bytes: float = math.inf) -> bytes:
    """Decode base64: standard or URL-safe, also in a `data:` URL, with spaces and line ends, or unpadded."""
    head = _DATA_URL.match(bytes(content[:_MAX_DATA_URL_HEAD]))
    decoded = preallocated(len(content))
    rest = b""
    try:
        for start in range(head.end() if head else 0, len(content), _CHUNK):
            chunk = rest + bytes(content[start : start + _CHUNK]).translate(_TO_STANDARD_ALPHABET, _SPACES)
            # The last four characters wait for the next chunk, as only they may have padding.
            whole = max(0, (len(chunk) - 1) // 4 * 4)
            decoded.write(_decode_unpadded(chunk[:whole]))
            rest = chunk[whole:]
            if decoded.tell() > max_bytes:
                raise TooManyBytes.beyond(int(max_bytes))
        decoded.write(binascii.a2b_base64(rest + b"=" * (-len(rest) % 4), strict_mode=True))
    except binascii.Error:
        raise RequestError("The file is neither base64 nor an address that begins like https://.") from None
    decoded.truncate()
    return decoded.getvalue()


def _decode_unpadded(text: bytes) -> bytes:
    if b"=" in text:
        raise binascii.Error("data after the padding")
    return binascii.a2b_base64(text, strict_mode=True)


def _end_of(pattern: re.Pattern[bytes], raw: bytes, start: int) -> int:
    """Return the end of what a pattern, which also matches nothing, matches in the window from `start` on."""
    found = pattern.match(raw, start, start + _WINDOW)
    assert found is not None
    return found.end()


def _end_of_string(raw: bytes, start: int) -> int:
    """Return the position of the quote that closes the string at `start`, or -1."""
    position = start + 1
    while position < len(raw):
        quote = raw.find(b'"', position, position + _WINDOW)
        if quote < 0:
            position += _WINDOW
        elif not _is_escaped(raw, quote):
            return quote
        else:
            # The next ones may be escaped, too.
            position = _end_of(_CHARACTERS, raw, quote + 1)
    return -1


def _is_escaped(raw: bytes, position: int) -> bool:
    backslashes = 0
    for end in range(position, 0, -_CHUNK):
        chunk = raw[max(0, end - _CHUNK) : end]
        others = len(chunk.rstrip(b"\\"))
        backslashes += len(chunk) - others
        if others:
            break
    return backslashes % 2 == 1


def _has_escape(raw: memoryview) -> bool:
    chunks = (bytes(raw[start : start + _CHUNK]) for start in range(0, len(raw), _CHUNK))
    return any(b"\\" in chunk for chunk in chunks)


def _unescaped(raw: memoryview) -> bytes:
    text, start = preallocated(len(raw)), 0
    try:
        while start < len(raw):
            chunk = bytes(raw[start : start + _ESCAPED_CHUNK + _ESCAPE])
            if len(chunk) > _ESCAPED_CHUNK:
                chunk = chunk[: _whole_escapes(chunk, _ESCAPED_CHUNK)]
            text.write(json.loads(b'"' + chunk + b'"').encode())
            start += len(chunk)
    except ValueError:
        raise MalformedBody("The body is not well-formed JSON.") from None
    text.truncate()
    return text.getvalue()


def _whole_escapes(chunk: bytes, end: int) -> int:
    """Return a position up to `end` that is not within an escape."""
    last = chunk.rfind(b"\\", end - _MAX_ESCAPES, end)
    if last < 0:
        return end
    before = chunk[:last]
    if (len(before) - len(before.rstrip(b"\\"))) % 2:
        # An escaped backslash, at which an escape ends.
        return last + 1
    return last - _ESCAPE if _LOW_SURROGATE.match(chunk, last) else last
