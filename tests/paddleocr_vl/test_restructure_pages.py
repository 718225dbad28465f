"""`/restructure-pages`, and Word documents, compared with the PaddleX app."""

import io
import re
from base64 import b64decode, b64encode
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import httpx
import pytest

from tests.paddleocr_vl.peer import CHAPTERS, CHAPTERS_PDF, Both, scan, sent, without_id
from tests.running import RunningVllm
from tests.samples import bomb_png, small_png
from tests.stand_ins.pages import Box, draw_page


@pytest.mark.parametrize(
    "option",
    [
        {},
        {"mergeTables": False},
        {"relevelTitles": False},
        {"concatenatePages": True},
        {"returnMarkdownImages": False},
        {"concatenatePages": True, "returnMarkdownImages": False},
        {"prettifyMarkdown": False},
        {"showFormulaNumber": True},
        {"logId": "mine"},
    ],
    ids=str,
)
def test_restructured_pages_are_equal(both: Both, option: dict[str, Any]) -> None:
    answers = both.ask({"pages": read(both), **option}, "/restructure-pages")
    ours, theirs = (without_id(answer) for answer in answers)
    assert ours == theirs
    pages = ours["result"]["layoutParsingResults"]
    assert len(pages) == (1 if option.get("concatenatePages") else len(CHAPTERS))
    assert answers[0].json()["logId"] == option.get("logId", answers[0].headers["X-Request-ID"])


def read(both: Both) -> list[dict[str, Any]]:
    """Return pages in the form in which clients send them back."""
    pages = both.ours.post("/layout-parsing", json=sent(CHAPTERS_PDF)).json()["result"][
        "layoutParsingResults"
    ]
    return [
        {"prunedResult": page["prunedResult"], "markdownImages": page["markdown"]["images"]} for page in pages
    ]


@pytest.mark.parametrize(
    "request_",
    [{}, {"pages": [{}]}, {"pages": [{"prunedResult": 5}]}, {"pages": [], "mergeTables": None}],
    ids=str,
)
def test_both_refuse_the_same_pages(both: Both, request_: Any) -> None:
    ours, theirs = both.ask(request_, "/restructure-pages")
    assert ours.status_code == theirs.status_code == ours.json()["errorCode"] == 422


@pytest.mark.parametrize("parsed", [{}, {"model_settings": {}, "parsing_res_list": []}], ids=str)
def test_malformed_pages_are_refused(both: Both, parsed: dict[str, Any]) -> None:
    """If a page is malformed, PaddleX answers 500."""
    ours, theirs = both.ask({"pages": [{"prunedResult": parsed}]}, "/restructure-pages")
    assert (ours.status_code, theirs.status_code) == (422, 500)


@pytest.mark.parametrize("option", [{}, {"restructurePages": True}], ids=str)
def test_word_documents_are_equal(both: Both, option: dict[str, Any]) -> None:
    request = {**CHAPTERS_PDF, "outputFormats": ["docx"], **option}
    ours, theirs = (documents(answer) for answer in both.ask(request))
    assert len(ours) == len(theirs) == len(CHAPTERS)
    for our_document, their_document in zip(ours, theirs, strict=True):
        # Pictures that were JPEG in between differ in some pixels.
        assert our_document.keys() == their_document.keys()
        assert our_document["word/document.xml"] == their_document["word/document.xml"]
    assert any(name.startswith("word/media/") for name in ours[2])


@pytest.mark.parametrize("option", [{}, {"concatenatePages": True}], ids=str)
def test_word_documents_of_pages_sent_back(both: Both, option: dict[str, Any]) -> None:
    request = {"pages": read(both), "outputFormats": ["docx"], **option}
    ours, theirs = (documents(answer) for answer in both.ask(request, "/restructure-pages"))
    assert ours == theirs
    assert any(name.startswith("word/media/") for name in ours[-1])


def html_table(content: str) -> str:
    return f"<table><tr><td>до</td><td>{content}после</td></tr></table>"


CONTROLS = {
    "text": ("OCR:", "до\x01\x0cпосле\ufffe"),
    "table": ("Table Recognition:", "<fcel>до\x02<fcel>после<nl>"),
    "table with references": ("Table Recognition:", html_table("&#x1;&#31&#xFFFE;&#0;")),
    "table with nested references": ("Table Recognition:", html_table("&#x&#x1;1;&#x\x011;")),
    "display_formula": ("Formula Recognition:", "\\[ до \x03 после \\]"),
}


@pytest.mark.stand_in("it writes the texts of the model")
@pytest.mark.parametrize("option", [{}, {"restructurePages": True}], ids=str)
@pytest.mark.parametrize("name", CONTROLS)
def test_word_document_has_no_control_characters(
    both: Both, vllm_of_both: RunningVllm, name: str, option: dict[str, Any]
) -> None:
    """XML cannot hold them, and PaddleX answers 500. The other forms of the text keep them."""
    prompt, text = CONTROLS[name]
    image = draw_page([Box(name.partition(" ")[0], 4, 7, 59, 20)], seed=len(text))
    request = {"file": scan(image).base64, "fileType": 1, "outputFormats": ["docx"], **option}
    request |= {"visualize": False}
    vllm_of_both.script(text, prompt=prompt)
    ours, theirs = both.ask(request)
    vllm_of_both.script(None)
    assert (ours.status_code, theirs.status_code) == (200, 500)
    [document] = documents(ours)
    written = "".join(ElementTree.fromstring(document["word/document.xml"]).itertext())
    assert "до" in written and "после" in written
    [page] = ours.json()["result"]["layoutParsingResults"]
    [block] = page["prunedResult"]["parsing_res_list"]
    assert all(part in block["block_content"] for part in re.findall(r"[\x01-\x08]|&#.*?;", text))


def documents(answer: httpx.Response) -> list[dict[str, bytes]]:
    """Return the parts of each page's document, without its creation time."""
    exported = [page["exports"]["docx"] for page in answer.json()["result"]["layoutParsingResults"]]
    assert all(file["fileName"].endswith(".docx") for file in exported)
    return [
        {name: parts.read(name) for name in parts.namelist() if name != "docProps/core.xml"}
        for parts in (ZipFile(io.BytesIO(b64decode(file["content"]))) for file in exported)
    ]


def test_pictures_sent_back_are_untrusted(both: Both) -> None:
    """Addresses in a page are not fetched, and a picture above the size limit is not decoded."""
    for picture, status in [
        ("http://127.0.0.1:9/a.jpg", 422),
        (b64encode(bomb_png(25_000)).decode(), 422),
        (b64encode(b"%PDF-1.7").decode(), 415),
        ("data:image/png;base64," + b64encode(small_png()).decode(), 200),
    ]:
        pages = [{**given, "markdownImages": {"imgs/../../a.jpg": picture}} for given in read(both)]
        request = {"pages": pages, "outputFormats": ["docx"]}
        assert both.ours.post("/restructure-pages", json=request).status_code == status, picture[:30]
