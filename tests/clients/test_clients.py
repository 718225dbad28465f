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
        command, cwd=ROOT, env=variables, input=stdin, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ask_mcp(target: Target, model: str, document: Path, kind: str, **options: Any) -> Any:
    source = ["--ppocr_source", "self_hosted", "--self-hosted-base-url", target.service.url]
    return call_mcp([*source, "--model", model], document, kind, **options)


def call_mcp(server: list[str], document: Path, kind: str, **options: Any) -> Any:
    """Start paddleocr-mcp with these options, and call its tool."""
    arguments = {"input_data": str(document), "file_type": kind, "runtime_params": options}
    return run("paddleocr-clients", "ask_mcp", *server, stdin=json.dumps(arguments) + "\n")


def texts(answer: Any) -> str:
    return "".join(part["text"] for part in answer["content"] if part["type"] == "text")


def test_mcp_returns_the_images_of_a_picture(with_paddleocr_vl: Target) -> None:
    answer = ask_mcp(with_paddleocr_vl, VL, with_paddleocr_vl.picture, "image")
    assert not answer["isError"], answer
    [text] = with_paddleocr_vl.texts(with_paddleocr_vl.picture)
    title = text.split("\n\n")[0]
    assert title and title in texts(answer)
    assert [part["type"] for part in answer["content"]].count("image") == 1


def test_mcp_reads_a_pdf(with_paddleocr_vl: Target) -> None:
    answer = ask_mcp(with_paddleocr_vl, VL, with_paddleocr_vl.pdf, "pdf")
    assert not answer["isError"], answer
    assert "<table" in texts(answer)


@pytest.mark.parametrize(("name", "kind"), [("picture", "image"), ("pdf", "pdf")])
def test_mcp_reads_with_tesseract(with_tesseract: Target, name: str, kind: str) -> None:
    document = getattr(with_tesseract, name)
    answer = ask_mcp(with_tesseract, VL, document, kind, **OFF)
    assert not answer["isError"], answer
    assert texts(answer) == "\n".join(with_tesseract.texts(document))


def test_mcp_accepts_the_other_pipeline_name(with_paddleocr_vl: Target) -> None:
    answer = ask_mcp(with_paddleocr_vl, STRUCTURE, with_paddleocr_vl.picture, "image")
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
