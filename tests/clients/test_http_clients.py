"""HTTP clients as people have them, against the running service, with a file that has a Russian name.

`make test-clients` runs the clients of other languages; their requests are sent here as they were recorded.
"""

import asyncio
import http.client
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.clients.conftest import FILE_NAME, TEXT, Target
from tests.running import ROOT

RECORDED = ROOT / "tests/clients/recorded"
PYTHON = ROOT / ".cache/http-clients/bin/python"
FORM = "file=@{file}"
PNG = "Content-Type: image/png"


def program(*command: str) -> Callable[[Path, str], Any]:
    """A client that is a program; returns the JSON that it prints."""

    def run(file: Path, url: str) -> Any:
        arguments = [argument.format(file=file, url=url) for argument in command]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(done.stdout)

    return run


def with_requests(file: Path, url: str) -> Any:
    with file.open("rb") as opened:
        return requests.post(url, files={"file": opened}, data={"lang": "rus+eng"}, timeout=120).json()


def with_httpx(file: Path, url: str) -> Any:
    with file.open("rb") as opened:
        return httpx.post(url, files={"file": opened}, data={"lang": "rus+eng"}, timeout=120).json()


def with_aiohttp(file: Path, url: str) -> Any:
    content = file.read_bytes()

    async def post() -> Any:
        async with aiohttp.ClientSession() as session:
            form = aiohttp.FormData({"lang": "rus+eng"})
            form.add_field("file", content, filename=file.name, content_type="image/png")
            async with session.post(url, data=form) as answer:
                return await answer.json()

    return asyncio.run(post())


FORMS = {
    "curl": program("curl", "-sS", "-F", FORM, "{url}"),
    "curl --http2": program("curl", "-sS", "--http2", "-F", FORM, "{url}"),
    "requests": with_requests,
    "httpx": with_httpx,
    "aiohttp": with_aiohttp,
}
BODIES = {
    "curl --data-binary": program("curl", "-sS", "--data-binary", "@{file}", "{url}"),
    "curl --http2 --data-binary": program("curl", "-sS", "--http2", "--data-binary", "@{file}", "{url}"),
    "curl -T": program("curl", "-sS", "-T", "{file}", "{url}"),
    "wget --post-file": program("wget", "-q", "-O", "-", "--post-file={file}", "{url}"),
    "wget --body-file": program("wget", "-q", "-O", "-", "--method=PUT", "--body-file={file}", "{url}"),
    "requests, body": lambda file, url: requests.post(url, data=file.read_bytes(), timeout=120).json(),
}


@pytest.mark.parametrize("client", FORMS.values(), ids=FORMS.keys())
def test_form_of_a_client_is_read_and_the_name_is_kept(
    with_tesseract: Target, upload: Path, client: Callable[[Path, str], Any]
) -> None:
    assert_is_read(client(upload, f"{with_tesseract.service.url}/ocr?store_source=true"))


@pytest.mark.parametrize("client", BODIES.values(), ids=BODIES.keys())
def test_document_as_the_body_of_a_client_is_read(
    with_tesseract: Target, upload: Path, client: Callable[[Path, str], Any]
) -> None:
    assert client(upload, f"{with_tesseract.service.url}/ocr?lang=ru+en")["text"] == TEXT


def test_urllib3_of_the_first_major_version_is_served(with_tesseract: Target, upload: Path) -> None:
    url = f"{with_tesseract.service.url}/ocr?store_source=true"
    command = [str(PYTHON), "tests/clients/programs/upload_urllib3.py", str(upload), url]
    status, _, answer = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.partition(" ")
    assert status == "200"
    assert_is_read(json.loads(answer))


@pytest.mark.parametrize("language", ["eng", "rus+en"])
def test_liteparse_reads_a_page(with_tesseract: Target, upload: Path, language: str) -> None:
    server = f"{with_tesseract.service.url}/liteparse/ocr"
    lit = PYTHON.with_name("lit")
    command = [str(lit), "parse", str(upload), "--ocr-language", language, "--ocr-server-url", server]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert TEXT in done.stdout


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.http")), ids=lambda file: file.stem)
def test_recorded_request_is_answered(with_tesseract: Target, file: Path) -> None:
    url = httpx.URL(with_tesseract.service.url)
    assert url.port is not None
    with socket.create_connection((url.host, url.port), timeout=120) as connection:
        # Twice, as the connection stays open.
        for _ in range(2):
            connection.sendall(file.read_bytes())
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = response.read()
            assert response.status == 200, body
            answer = json.loads(body)
            assert answer["text"] == TEXT
    if b"multipart/form-data" in file.read_bytes():
        assert_is_read(answer)


def assert_is_read(answer: Any) -> None:
    assert answer["text"] == TEXT, answer
    [source] = [file["key"] for file in answer["storage"]["files"] if "/source/" in file["key"]]
    assert source.endswith(f"/source/{FILE_NAME}")
