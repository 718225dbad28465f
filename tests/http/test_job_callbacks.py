"""Callbacks of jobs, against a real server on loopback."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available
from tests.http.serving import serving
from tests.samples import small_png

pytestmark = pytest.mark.anyio

SECRET = "secret of the tests"


class Receiver:
    """A server that answers each request with 204; `requests` has the headers and the body of each."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.put_nowait((headers, body))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()


async def test_caller_is_told_and_can_check_the_signature(tmp_path: Path) -> None:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings: dict[str, Any] = {
        "ocr_output_dir": tmp_path,
        "ocr_jobs_callback_secret": SECRET,
        "ocr_url_allowlist": "127.0.0.1",
        "ocr_url_ports": port,
    }
    async with server, serving(ScriptedEngine(), **settings) as client:
        await is_available(client)
        callback = {"callback_url": f"http://127.0.0.1:{port}/done"}
        submitted = await client.post("/jobs", params=callback, files={"file": small_png()})
        job = submitted.json()["id"]
        await ended(client, job)
        async with asyncio.timeout(30):
            headers, body = await receiver.requests.get()
    told = json.loads(body)
    assert (told["id"], told["state"], headers["webhook-id"]) == (job, "done", job)
    signed = f"{job}.{headers['webhook-timestamp']}.".encode() + body
    expected = b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(
    ("secret", "url", "code"),
    [
        (None, "https://example.com/", "invalid_request"),
        (SECRET, "ftp://example.com/", "url_not_allowed"),
        (SECRET, "https://example.com:22/", "url_not_allowed"),
        (SECRET, "nonsense", "invalid_url"),
    ],
)
async def test_callback_that_cannot_be_called_is_refused(
    tmp_path: Path, secret: str | None, url: str, code: str
) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_jobs_callback_secret=secret) as client:
        await is_available(client)
        refused = await client.post("/jobs", params={"callback_url": url}, files={"file": small_png()})
        assert refused.json()["code"] == code
