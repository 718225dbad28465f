"""Base64 as clients write it."""

import base64
import json
import random

import pytest

from ocr_service.api.requests import long_strings
from ocr_service.api.requests.long_strings import LongStrings, decode_base64
from ocr_service.core.errors import MalformedBody, RequestError


@pytest.mark.parametrize("chunk", [7, 8, 2**20])
def test_every_form_of_base64_is_decoded(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(long_strings, "_CHUNK", chunk)
    source = random.Random(1)
    for size in range(70):
        data = source.randbytes(size)
        for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes):
            text = encode(data)
            assert decode_base64(text) == data
            assert decode_base64(text.rstrip(b"=\n")) == data
            assert decode_base64(memoryview(b"data:image/png;name=a.png;base64," + text)) == data


@pytest.mark.parametrize("chunk", [7, 8, 2**20])
@pytest.mark.parametrize(
    "text",
    [b"QQ==QQ==", b"QQ==QQ", b"QQ==\n\nQUJD", b"Q", b"QUJDQ", b"QUJ!", b"Q=Q=", b"=QQQ", b"QUJD=",
     b"data:text/plain,abcd", b"data:text/plain;base64", b"scan.jpg"],
)  # fmt: skip
def test_other_text_is_refused(monkeypatch: pytest.MonkeyPatch, chunk: int, text: bytes) -> None:
    monkeypatch.setattr(long_strings, "_CHUNK", chunk)
    with pytest.raises(RequestError):
        decode_base64(text)


@pytest.mark.parametrize("chunk", range(19, 27))
@pytest.mark.parametrize(
    "text",
    ["a/\n", "\\", "\\\\a", "\U0001f600", "x\U0001f600/", "é\\u1", "\\\\\U0001f600\\", "no escapes "],
)  # fmt: skip
def test_escapes_at_every_boundary_are_decoded(
    monkeypatch: pytest.MonkeyPatch, chunk: int, text: str
) -> None:
    monkeypatch.setattr(long_strings, "_ESCAPED_CHUNK", chunk)
    whole = text * 40
    escaped = json.dumps(whole).replace("/", "\\/")[1:-1].encode()
    strings = LongStrings({"placeholder": memoryview(bytearray(escaped))})
    assert bytes(strings.content("placeholder")) == whole.encode()


@pytest.mark.parametrize("escaped", [rb"\ud83d", rb"\ude00", rb"\ude00\ud83d", rb"\u12", rb"\x"])
def test_invalid_escapes_are_refused(monkeypatch: pytest.MonkeyPatch, escaped: bytes) -> None:
    for chunk in range(19, 27):
        monkeypatch.setattr(long_strings, "_ESCAPED_CHUNK", chunk)
        strings = LongStrings({"placeholder": memoryview(bytearray(b"a" * 15 + escaped + b"x" * 15))})
        with pytest.raises(MalformedBody):
            strings.content("placeholder")
