"""The forms of a request body that clients send, as bytes."""

from typing import Any

import httpx
import pytest

from ocr_service.api.requests import body, multipart
from ocr_service.runtime.pace import Pace
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.http.test_errors import assert_problem
from tests.samples import small_png

pytestmark = pytest.mark.anyio

PNG = small_png() + bytes(20_000)
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="a.png"'


def form(
    disposition: bytes = DISPOSITION, before: bytes = b"", padding: bytes = b"", end: bytes = b"--b--\r\n"
) -> bytes:
    headers = disposition + b"\r\nContent-Type: image/png\r\n\r\n"
    return before + b"--b" + padding + b"\r\n" + headers + PNG + b"\r\n" + end


FORMS = {
    "plain": form(),
    "preamble": form(before=b"This is a multi-part message.\r\n"),
    "empty lines before the first boundary": form(before=b"\r\n\r\n"),
    "epilogue": form(end=b"--b--\r\nThis is the epilogue.\r\n"),
    "long epilogue": form(end=b"--b--\r\n" + b"-" * 100_000),
    "empty lines after the last boundary": form(end=b"--b--\r\n\r\n\r\n"),
    "no line end after the last boundary": form(end=b"--b--"),
    "blanks after the boundaries": form(padding=b" \t ", end=b"--b--  \r\n"),
    "no file name": form(b'Content-Disposition: form-data; name="file"'),
    "no field name": form(b'Content-Disposition: form-data; filename="a.png"'),
    "filename* alone": form(b"Content-Disposition: form-data; name=file; filename*=utf-8''%D0%B0.png"),
    "folded header": form(b'Content-Disposition: form-data; name="file";\r\n filename="a.png"'),
    "lower case, no quotes": form(b"content-disposition: form-data; name=file; filename=a.png"),
    "line feeds alone": b"--b\n" + DISPOSITION + b"\n\n" + PNG + b"\n--b--\n",
}  # fmt: skip


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS.keys())
async def test_every_multipart_form_is_read(body: bytes) -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        whole = await client.post("/ocr", content=body, headers=FORM)
        cut = [await client.post("/ocr", content=chunks(body, 9_000), headers=FORM)]
    for response in (whole, *cut):
        assert response.status_code == 200, response.text
    assert len(engine.seen) == 2


async def chunks(body: bytes, size: int) -> Any:
    for start in range(0, len(body), size):
        yield body[start : start + size]


CUT_OFF = {
    "in the file": form()[:-500],
    "before the last boundary": form(end=b""),
    "in the last boundary": form(end=b"--b"),
    "at the hyphens of the last boundary": form(end=b"--b-"),
    "a boundary that is not the last": form(end=b"--b\r\n"),
    "in the headers": form()[:40],
    "before the first boundary": b"This is a multi-part message.\r\n",
    "another boundary": form().replace(b"--b", b"--c"),
    "without headers": b"--b\r\n\r\n" + PNG + b"\r\n--b--\r\n",
    "with endless headers": b"--b\r\nx: " + b"x" * 100_000,
    "with a long header": form(DISPOSITION + b"; a=b" * 1000),
    "with long headers in many parts": b'--b\r\nContent-Disposition: form-data; name="a"; x=%s\r\n\r\n1\r\n'
    % (b"x" * 1000)
    * 5
    + form(),
}


@pytest.mark.parametrize("body", CUT_OFF.values(), ids=CUT_OFF.keys())
async def test_form_that_is_cut_off_or_malformed_is_refused(body: bytes) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", content=body, headers=FORM)
    assert_problem(response, 400, "malformed_body")


NAMES = {
    "bytes in UTF-8": 'filename="акт.png"'.encode(),
    "bytes in the code page of Windows": 'filename="акт.png"'.encode("cp1251"),
    "percent-encoding, as aiohttp writes it": b'filename="%D0%B0%D0%BA%D1%82.png"',
    "filename* alone": b"filename*=utf-8''%D0%B0%D0%BA%D1%82.png",
    "an encoded word and filename*, as .NET writes them": (
        b"filename=\"=?utf-8?B?0LDQutGCLnBuZw==?=\"; filename*=utf-8''%D0%B0%D0%BA%D1%82.png"
    ),
    "an encoded word": b'filename="=?UTF-8?Q?=D0=B0=D0=BA=D1=82.png?="',
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_russian_file_name_is_stored_in_every_encoding(name: bytes) -> None:
    storage = MemoryStorage()
    body = form(b'Content-Disposition: form-data; name="file"; ' + name)
    async with serving(ScriptedEngine(), storage) as client:
        response = await client.post("/ocr?store_source=true", content=body, headers=FORM)
    assert response.status_code == 200, response.text
    [stored] = [file for file in response.json()["storage"]["files"] if "/source/" in file["key"]]
    assert stored["key"].endswith("/source/акт.png")


@pytest.mark.parametrize(
    "name", ["100%.png", "%FF.png", "=?utf-8?B?!?=.png", "=?none?B?YQ==?=", "=?utf-8?B?a?="]
)
async def test_name_that_is_not_encoded_is_kept(name: str) -> None:
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'.encode()
    async with serving(ScriptedEngine(), MemoryStorage()) as client:
        response = await client.post("/ocr?store_source=true", content=form(disposition), headers=FORM)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "image/png"}, {"Content-Type": "application/octet-stream"}, URLENCODED],
    ids=["no type", "its type", "bytes", "the type that curl --data-binary sends"],
)
async def test_document_can_be_the_body(method: str, headers: dict[str, str]) -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        response = await client.request(
            method, "/ocr?format=text&lang=eng", content=PNG + bytes(2_000_000), headers=headers
        )
    assert (response.status_code, response.text) == (200, "page 1")
    assert engine.options[0].lang == "eng"


async def test_long_urlencoded_form_is_refused() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", content=b"a=" + b"%41" * 22_000, headers=URLENCODED)
    assert_problem(response, 413, "too_many_bytes")


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"a=" + b"%41" * 2000, URLENCODED), (form(DISPOSITION + b"; a=" + b"b" * 3000), FORM)],
    ids=["urlencoded", "multipart"],
)
async def test_long_forms_take_turns(
    content: bytes, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[float] = []

    class Counted(Pace):
        def pause(self) -> float:
            taken.append(super().pause())
            return 0

    for module in (body, multipart):
        monkeypatch.setattr(module, "LONG_FORMS", Counted(10))
    async with serving(ScriptedEngine()) as client:
        for _ in range(2):
            assert (await client.post("/ocr", content=content, headers=headers)).status_code != 500
        assert len(taken) == 2
        assert (await client.post("/ocr", content=form(), headers=FORM)).status_code == 200
    assert len(taken) == 2


async def test_long_content_type_of_a_form_is_refused() -> None:
    async with serving(ScriptedEngine()) as client:
        headers = {"Content-Type": FORM["Content-Type"] + "; a=b" * 200}
        response = await client.post("/ocr", content=form(), headers=headers)
    assert_problem(response, 400, "malformed_body")


@pytest.mark.parametrize(
    "request_",
    [{"json": {"image": "QUJD" * 50_000}}, {"json": {"image": 1}}, {"data": {"image": "1"}},
     {"files": {"image": (None, "1")}}],
    ids=["long JSON", "JSON", "urlencoded", "multipart"],
)  # fmt: skip
async def test_unknown_field_is_named_even_without_a_file(request_: dict[str, Any]) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", **request_)
    assert_problem(response, 422, "invalid_request")
    assert "'image'" in detail(response) and "file, image_url" in detail(response)


@pytest.mark.parametrize("form", ["json", "data"])
async def test_address_can_be_named_url(form: str) -> None:
    private = "http://10.0.0.1/scan.pdf"
    async with serving(ScriptedEngine()) as client:
        alone = await client.post("/ocr", **{form: {"url": private}})  # type: ignore[arg-type]
        twice = await client.post("/ocr", **{form: {"url": private, "image_url": private}})  # type: ignore[arg-type]
        empty = await client.post("/ocr", **{form: {"url": "", "image_url": private}})  # type: ignore[arg-type]
    assert_problem(alone, 422, "url_not_allowed")
    assert_problem(twice, 422, "invalid_request")
    assert_problem(empty, 422, "url_not_allowed")


async def test_file_in_another_field_is_named() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files={"document": PNG})
    assert_problem(response, 422, "invalid_request")
    assert "'document'" in detail(response)


def detail(response: httpx.Response) -> str:
    text: str = response.json()["detail"]
    return text
