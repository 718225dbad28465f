"""Documents inside JSON: strings so long that nothing but the decoder of base64 should ever look at them.

A parser would hold the interpreter's lock over all of a document, and copy it; of a body of so many bytes
that is no document, it would make many times as much. So long strings are cut out before anything is parsed.
"""

import binascii
import io
import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocr_service.core.errors import EmptyFile, MalformedBody, RequestError, TooManyBytes

_LONG = 64 * 1024
# Decoding holds the interpreter's lock, too: it is done in pieces, and other threads run in between.
_PIECE = 2**20
_SPACES = b" \t\r\n"
_LONGEST_SCHEME = 16

Bytes = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Cut:
    """rest: the JSON, with a name in place of each long string. long: what was cut out, by that name."""

    rest: bytes
    long: Mapping[str, memoryview]

    def content(self, text: str) -> Bytes:
        """Return what stood in the JSON where `text` stands now; raises MalformedBody."""
        raw = self.long.get(text)
        if raw is None:
            return text.encode()
        # Some write every slash with a backslash before it, or have line ends in between.
        return raw if raw.obj.find(b"\\") < 0 else _unescaped(raw)  # type: ignore[attr-defined]

    def whole(self, value: Any) -> Any:
        """Return a value of the JSON with every string as it was."""
        if isinstance(value, dict):
            return {name: self.whole(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.whole(part) for part in value]
        return str(self.content(value), "utf-8") if isinstance(value, str) and value in self.long else value


def cut_long_strings(raw: bytearray, most_beside: int) -> Cut:
    """Cut; raises TooManyBytes where more than `most_beside` bytes are left. Not for the event loop."""
    view = memoryview(raw)
    rest, long = bytearray(), dict[str, memoryview]()
    mark, kept, cut = secrets.token_hex(8), 0, 0
    start = raw.find(b'"')
    while start >= 0 and (end := _end_of_string(raw, start)) >= 0:
        if end - start > _LONG:
            name = f"{mark}-{len(long)}"
            rest += view[kept : start + 1]
            rest += name.encode()
            long[name] = view[start + 1 : end]
            kept, cut = end, cut + end - start
        if end - cut > most_beside:
            break
        start = raw.find(b'"', end + 1)
    if len(raw) - cut > most_beside:
        raise TooManyBytes(f"Beside the document, a JSON body is at most {most_beside // 2**20} MiB long.")
    rest += view[kept:]
    return Cut(bytes(rest), long)


def document_of(content: Bytes, max_bytes: int) -> bytes | str:
    """Return a document's bytes, or its address as it stands; raises RequestError, EmptyFile or TooManyBytes.

    Takes time for a long document: not for the event loop.
    """
    if b"://" in bytes(content[:_LONGEST_SCHEME]):
        return str(content, "utf-8", "replace").strip()
    data = from_base64(content, max_bytes)
    if not data:
        raise EmptyFile("The file has no bytes.")
    return data


def from_base64(content: Bytes, max_bytes: float = math.inf) -> bytes:
    """Decode base64, between whose characters there may be spaces and line ends."""
    # It gives away what it holds, where a list or a bytearray would make a copy.
    decoded = io.BytesIO()
    rest = b""
    try:
        for start in range(0, len(content), _PIECE):
            piece = rest + bytes(content[start : start + _PIECE]).translate(None, _SPACES)
            whole = len(piece) - len(piece) % 4
            decoded.write(binascii.a2b_base64(piece[:whole], strict_mode=True))
            rest = piece[whole:]
            if decoded.tell() > max_bytes:
                raise TooManyBytes.beyond(int(max_bytes))
        decoded.write(binascii.a2b_base64(rest, strict_mode=True))
    except binascii.Error:
        raise RequestError("The file is neither base64 nor an address that begins like https://.") from None
    return decoded.getvalue()


def _end_of_string(raw: bytearray, start: int) -> int:
    """Return where the string that opens at `start` closes; -1 where it does not."""
    end = raw.find(b'"', start + 1)
    while end >= 0 and _is_escaped(raw, end):
        end = raw.find(b'"', end + 1)
    return end


def _is_escaped(raw: bytearray, place: int) -> bool:
    backslashes = 0
    while raw[place - 1 - backslashes] == 0x5C:
        backslashes += 1
    return backslashes % 2 == 1


def _unescaped(raw: memoryview) -> bytes:
    try:
        text: str = json.loads(b'"' + bytes(raw) + b'"')
        return text.encode()
    except ValueError:
        raise MalformedBody("The body is not well-formed JSON.") from None
