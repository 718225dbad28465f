"""Unmodified clients of PaddleOCR's jobs API from PyPI against the running service."""

import json
import time
from typing import Any

import pytest

from tests.clients.conftest import Target
from tests.clients.test_clients import OFF, VL, answers_of_mcp, call, run, texts

OCR = "PP-OCRv6"
PATH = "/api/v2/ocr/jobs"


@pytest.fixture(scope="module")
def answers(with_tesseract: Target, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Answers that the clients have got from the service with Tesseract."""
    with_tesseract.service.wait_for("jobs are available")
    documents = [str(with_tesseract.picture), str(with_tesseract.pdf)]
    folder = str(tmp_path_factory.mktemp("saved"))
    url = with_tesseract.service.url
    found: dict[str, Any] = run("paddleocr-clients", "use_paddleocr_clients", url, "any", *documents, folder)
    return found


def aistudio(target: Target, model: str) -> list[str]:
    """Return the options of paddleocr-mcp for the jobs API."""
    target.service.wait_for("jobs are available")
    source = ["--ppocr_source", "aistudio", "--aistudio-base-url", target.service.url]
    return [*source, "--aistudio_access_token", "any", "--model", model]


@pytest.fixture(scope="module")
def asked(with_paddleocr_vl: Target, with_tesseract: Target) -> dict[str, Any]:
    """Answers of paddleocr-mcp with each engine."""
    vl, tesseract = with_paddleocr_vl, with_tesseract
    return answers_of_mcp(
        {
            "lines": call(aistudio(tesseract, OCR), tesseract.picture, "image"),
            "pictures": call(aistudio(vl, VL), vl.picture, "image", **OFF),
        }
    )


def test_sdk_follows_a_job_and_its_batch(with_tesseract: Target, answers: dict[str, Any]) -> None:
    seen = answers["sync_sdk"]
    assert seen["texts"] == with_tesseract.texts(with_tesseract.pdf)[:2]
    assert (seen["progress"]["total_pages"], seen["progress"]["extracted_pages"]) == (2, 2)
    assert seen["progress"]["start_time"] <= seen["progress"]["end_time"]
    assert seen["batch"] and seen["engine"] == "tesseract" and seen["saved"] == 2


def test_sdk_shows_why_a_submit_is_refused(answers: dict[str, Any]) -> None:
    sentence = "Tesseract does not have layoutNms, temperature; PaddleOCR-VL does."
    assert answers["sync_sdk"]["refusal"] == f"InvalidRequestError: Bad request: {sentence}"


def test_sdk_reads_in_both_forms_at_once(with_tesseract: Target, answers: dict[str, Any]) -> None:
    assert answers["async_sdk"]["texts"] == with_tesseract.texts(with_tesseract.picture)
    assert len(answers["async_sdk"]["lines"]) == 6
    assert answers["async_sdk"]["lines"][0] == "Договор поставки № 17"


def test_command_line_prints_the_lines(answers: dict[str, Any]) -> None:
    [page] = answers["command_line"]["pages"]
    assert page["prunedResult"]["rec_texts"] == answers["async_sdk"]["lines"]
    assert all(0.9 < score <= 1 for score in page["prunedResult"]["rec_scores"])


def test_langchain_and_haystack_load_all_pages(with_tesseract: Target, answers: dict[str, Any]) -> None:
    pages = with_tesseract.texts(with_tesseract.pdf)
    assert answers["langchain"] == ["\n\f".join(pages)]
    assert answers["haystack"] == ["\f".join(pages)]


def test_mcp_reads_the_lines_of_a_picture(asked: dict[str, Any], answers: dict[str, Any]) -> None:
    answer = asked["lines"]
    assert not answer["isError"], answer
    for line in answers["async_sdk"]["lines"]:
        assert line in texts(answer)


def test_mcp_fetches_the_pictures_of_a_page(asked: dict[str, Any]) -> None:
    answer = asked["pictures"]
    assert not answer["isError"], answer
    assert [part["type"] for part in answer["content"]].count("image") == 1


def test_blocks_of_paddleocr_vl_stand_for_lines(with_paddleocr_vl: Target) -> None:
    client = with_paddleocr_vl.service.client
    with_paddleocr_vl.service.wait_for("jobs are available")
    files = {"file": with_paddleocr_vl.pdf.read_bytes()}
    sent = client.post(PATH, files=files, data={"model": OCR, "pageRanges": "2"}).raise_for_status()
    address = f"{PATH}/{sent.json()['data']['jobId']}"
    while (job := client.get(address).raise_for_status().json()["data"])["state"] in ("pending", "running"):
        time.sleep(0.1)
    [line] = client.get(job["resultUrl"]["jsonUrl"]).text.splitlines()
    result = json.loads(line)["result"]
    pruned = result["ocrResults"][0]["prunedResult"]
    assert result["dataInfo"]["engine"]["name"] == "paddleocr-vl"
    assert len(pruned["rec_texts"]) == len(pruned["rec_scores"]) == len(pruned["rec_boxes"]) > 0
    # A table is text with tabs.
    assert any("\t" in text for text in pruned["rec_texts"])
    assert not any("<" in text for text in pruned["rec_texts"])
