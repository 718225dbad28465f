"""Base64 as clients write it."""

import base64
import json
import random

import pytest

from ocr_service.api.requests import long_strings
from ocr_service.api.requests.json_outline import Outline
from ocr_service.api.requests.long_strings import LongStrings, decode_base64, extract_long_strings
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


def test_escapes_elsewhere_in_the_body_cost_nothing() -> None:
    text = b"a" * 100_000
    raw = memoryview(b"\\/" + text + b"\\/")[2:-2]
    # The string itself, without a copy.
    assert LongStrings({"placeholder": raw}).content("placeholder") is raw


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 50])
def test_long_strings_are_found_at_every_boundary(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(long_strings, "_WINDOW", window)
    monkeypatch.setattr(long_strings, "_CHUNK", window)
    monkeypatch.setattr(long_strings, "_LONG", 50)
    source = random.Random(window)
    for _ in range(200):
        pieces = [r"\\", r"\"", "a", "[", ",", "}"]
        texts = ["".join(source.choices(pieces, k=source.randrange(80))) for _ in range(4)]
        body = f'{{"a":["{texts[0]}",[{{}},"{texts[1]}"],"{texts[2]}"],"b":"{texts[3]}"}}'.encode()
        # The number of values, of which an empty object counts twice.
        rest, strings = extract_long_strings(body, 10_000, Outline(9))
        assert [bytes(strings.content(text)).decode() for text in _texts_in(rest)] == _texts_in(body)
        assert len(strings.placeholders) == sum(len(text) >= 50 for text in texts)


def _texts_in(body: bytes) -> list[str]:
    """Return the strings in the lists and objects of a JSON text, in order."""
    value = json.loads(body)
    return [value["a"][0], value["a"][1][1], value["a"][2], value["b"]]


@pytest.mark.parametrize("escaped", [rb"\ud83d", rb"\ude00", rb"\ude00\ud83d", rb"\u12", rb"\x"])
def test_invalid_escapes_are_refused(monkeypatch: pytest.MonkeyPatch, escaped: bytes) -> None:
    for chunk in range(19, 27):
        monkeypatch.setattr(long_strings, "_ESCAPED_CHUNK", chunk)
        strings = LongStrings({"placeholder": memoryview(bytearray(b"a" * 15 + escaped + b"x" * 15))})
        with pytest.raises(MalformedBody):
            strings.content("placeholder")
