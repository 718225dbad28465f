"""Unmodified clients from PyPI against the running service."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Target
from tests.running import ROOT

VL = "PaddleOCR-VL-1.6"
STRUCTURE = "PP-StructureV3"
# Options that paddleocr-mcp sends by default, and Tesseract does not support.
OFF = {"use_chart_recognition": False, "use_seal_recognition": False}


def run(environment: str, script: str, *arguments: str, stdin: str = "") -> Any:
    """Run a script in an environment of clients; return its output, parsed as JSON."""
    python = str(ROOT / f".cache/{environment}/bin/python")
    command = [python, f"tests/clients/{script}.py", *arguments]
    # Haystack reports its use to its makers.
    variables = {**os.environ, "HAYSTACK_TELEMETRY_ENABLED": "False"}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, input=stdin, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# The options of paddleocr-mcp, and the arguments of its tool.
Call = tuple[list[str], dict[str, Any]]


def self_hosted(target: Target, model: str) -> list[str]:
    address = ["--ppocr_source", "self_hosted", "--self-hosted-base-url", target.service.url]
    return [*address, "--model", model]


def call(server: list[str], document: Path, kind: str, **options: Any) -> Call:
    return server, {"input_data": str(document), "file_type": kind, "runtime_params": options}


def answers_of_mcp(calls: dict[str, Call]) -> dict[str, Any]:
    """Call the tool of paddleocr-mcp; calls with equal options of the server must follow each other."""
    answers = run("paddleocr-clients", "ask_mcp", stdin=json.dumps(list(calls.values())) + "\n")
    return dict(zip(calls, answers, strict=True))


def texts(answer: Any) -> str:
    return "".join(part["text"] for part in answer["content"] if part["type"] == "text")


@pytest.fixture(scope="module")
def asked(with_paddleocr_vl: Target, with_tesseract: Target) -> dict[str, Any]:
    """Answers of paddleocr-mcp with each engine."""
    vl, tesseract = with_paddleocr_vl, with_tesseract
    return answers_of_mcp(
        {
            "picture": call(self_hosted(vl, VL), vl.picture, "image"),
            "pdf": call(self_hosted(vl, VL), vl.pdf, "pdf"),
            "other pipeline": call(self_hosted(vl, STRUCTURE), vl.picture, "image"),
            "picture by tesseract": call(self_hosted(tesseract, VL), tesseract.picture, "image", **OFF),
            "pdf by tesseract": call(self_hosted(tesseract, VL), tesseract.pdf, "pdf", **OFF),
        }
    )


def test_mcp_returns_the_images_of_a_picture(with_paddleocr_vl: Target, asked: dict[str, Any]) -> None:
    answer = asked["picture"]
    assert not answer["isError"], answer
    [text] = with_paddleocr_vl.texts(with_paddleocr_vl.picture)
    title = text.split("\n\n")[0]
    assert title and title in texts(answer)
    assert [part["type"] for part in answer["content"]].count("image") == 1


def test_mcp_reads_a_pdf(asked: dict[str, Any]) -> None:
    answer = asked["pdf"]
    assert not answer["isError"], answer
    assert "<table" in texts(answer)


@pytest.mark.parametrize("name", ["picture", "pdf"])
def test_mcp_reads_with_tesseract(with_tesseract: Target, asked: dict[str, Any], name: str) -> None:
    answer = asked[f"{name} by tesseract"]
    assert not answer["isError"], answer
    assert texts(answer) == "\n".join(with_tesseract.texts(getattr(with_tesseract, name)))


def test_mcp_accepts_the_other_pipeline_name(asked: dict[str, Any]) -> None:
    answer = asked["other pipeline"]
    assert not answer["isError"], answer


@pytest.fixture(scope="module")
def loaded(with_paddleocr_vl: Target, with_tesseract: Target) -> Any:
    """The texts that langchain-paddleocr loads with each engine: of the picture, then of the PDF.

    One process for all of them, because its imports take seconds.
    """
    asked = [
        [f"{target.service.url}/layout-parsing", str(document)]
        for target in (with_paddleocr_vl, with_tesseract)
        for document in (target.picture, target.pdf)
    ]
    return run("langchain-client", "load_with_langchain", "a token", stdin=json.dumps(asked))


def test_langchain_loads(with_paddleocr_vl: Target, with_tesseract: Target, loaded: Any) -> None:
    assert loaded == [
        ["\n\f".join(target.texts(document))]
        for target in (with_paddleocr_vl, with_tesseract)
        for document in (target.picture, target.pdf)
    ]
