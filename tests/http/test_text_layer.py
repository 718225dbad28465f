"""An engine that checks its text with the text layer, and the refusal of unknown uses of it."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from textwrap import wrap

import pytest
from reportlab.pdfgen.canvas import Canvas

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import is_available
from tests.http.serving import serving
from tests.samples import RUSSIAN, pdf_of_text
from tests.text_pdfs import lines, pdf_of

pytestmark = pytest.mark.anyio

PASSWORD = "пароль 7"


class Checking(ScriptedEngine):
    """Reads a fixed text, and checks it with the text layer."""

    checks_text_layer = True

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    async def recognize(self, page: Page, options: Options) -> PageResult:
        result = await super().recognize(page, options)
        return replace(result, text=self._text, blocks=(replace(result.blocks[0], content=self._text),))


def letter(canvas: Canvas) -> None:
    lines(canvas, wrap(RUSSIAN[0], 80))


@pytest.mark.parametrize(
    ("read", "codes"),
    [
        (RUSSIAN[0], []),
        (f"<table><tr><td>{RUSSIAN[0].upper()}</td></tr></table>", []),
        (RUSSIAN[0][:60], ["text_layer_differs"]),
        (" ".join(RUSSIAN), ["text_layer_differs"]),
    ],
    ids=["equal", "markup and capitals", "text is missing", "text is invented"],
)
async def test_recognized_text_is_compared(read: str, codes: list[str]) -> None:
    async with serving(Checking(read)) as client:
        answer = await client.post("/ocr", files={"file": pdf_of(letter)})
    [page] = answer.json()["pages"]
    assert page["source"] == "ocr"
    assert [warning["code"] for warning in page["warnings"]] == codes


async def test_recognition_is_spared() -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        answer = await client.post("/ocr?text_layer=auto", files={"file": pdf_of(letter)})
        other = await client.post(
            "/ocr?text_layer=auto&restructure_pages=true", files={"file": pdf_of(letter)}
        )
        wrong = await client.post("/ocr?text_layer=maybe", files={"file": pdf_of(letter)})
    assert answer.json()["pages"][0]["source"] == "text_layer"
    # The engine restructures its own results only.
    assert other.json()["pages"][0]["source"] == "ocr"
    assert len(engine.seen) == 1
    assert wrong.status_code == 422


async def test_password_opens_a_pdf_and_is_a_part_of_the_cache_key(tmp_path: Path) -> None:
    document = {"file": pdf_of_text(["Received"], password=PASSWORD)}
    fields = {"text_layer": "only"}
    async with serving(ScriptedEngine(), ocr_cache_lifetime=60, ocr_output_dir=tmp_path) as client:
        opened = await client.post("/ocr", files=document, data={**fields, "password": PASSWORD})
        again = await client.post("/ocr", files=document, data={**fields, "password": PASSWORD})
        without = await client.post("/ocr", files=document, data=fields)
        wrong = await client.post("/ocr", files=document, data={**fields, "password": "other"})
        in_query = await client.post("/ocr", files=document, params={"password": PASSWORD})
        await is_available(client)
        job = await client.post("/jobs", files=document, data={"password": PASSWORD})
        body = {"file": b64encode(document["file"]).decode(), "password": PASSWORD, "textLayer": "only"}
        parsed = await client.post("/layout-parsing", json=body)
    assert (opened.json()["text"], again.json()["cached"]) == ("Received", True)
    assert parsed.json()["result"]["layoutParsingResults"][0]["markdown"]["text"] == "Received"
    assert [refused.json()["code"] for refused in (without, wrong, in_query, job)] == [
        "encrypted_pdf",
        "encrypted_pdf",
        "invalid_request",
        "invalid_request",
    ]
    assert without.json()["detail"] != wrong.json()["detail"]


async def test_password_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    document = {"file": pdf_of_text(["Received"], password="another")}
    async with serving(ScriptedEngine()) as client:
        answer = await client.post("/ocr", files=document, data={"password": PASSWORD, "timeout": "never"})
    assert answer.status_code == 422
    assert PASSWORD not in answer.text + caplog.text
