"""Base64 as clients write it."""

import base64
import random

import pytest

from ocr_service.api.requests import long_strings
from ocr_service.api.requests.long_strings import decode_base64
from ocr_service.core.errors import RequestError


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
