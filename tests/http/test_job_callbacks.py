"""Callbacks of jobs, against a real server on loopback."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available
from tests.http.scraping import scrape, until_grown
from tests.http.serving import serving
from tests.samples import small_png

pytestmark = pytest.mark.anyio

SECRET = "secret of the tests"


class Receiver:
    """A server that gives each request the same answer; `requests` has the headers and the body of each.

    released: set when it begins to answer; at once if it is None.
    """

    def __init__(
        self, answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", released: asyncio.Event | None = None
    ) -> None:
        self.requests: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.released = released or asyncio.Event()
        if released is None:
            self.released.set()
        self._answer = answer

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on loopback, and yield the port."""
        async with await asyncio.start_server(self.answer, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.put_nowait((headers, body))
        await self.released.wait()
        writer.write(self._answer)
        await writer.drain()
        writer.close()


def settings(folder: Path, port: int, allowed: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "ocr_output_dir": folder,
        "ocr_jobs_callback_secret": SECRET,
        "ocr_url_allowlist": allowed,
        "ocr_url_ports": port,
    }


@asynccontextmanager
async def failed_call(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """At the end of the block, wait until a callback of it has failed."""
    before = await scrape(client)
    yield
    await until_grown(client, before, "ocr_job_callbacks_total", {("failed",): 1})


@pytest.mark.parametrize(("path", "headers"), [("/jobs", {}), ("/ocr", {"Prefer": "respond-async"})])
async def test_caller_is_told_and_can_check_the_signature(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    receiver = Receiver()
    async with receiver.listening() as port, serving(ScriptedEngine(), **settings(tmp_path, port)) as client:
        await is_available(client)
        callback = {"callback_url": f"http://127.0.0.1:{port}/done"}
        submitted = await client.post(path, params=callback, files={"file": small_png()}, headers=headers)
        job = submitted.json()["id"]
        await ended(client, job)
        async with asyncio.timeout(120):
            got, body = await receiver.requests.get()
    told = json.loads(body)
    assert (told["id"], told["state"], got["webhook-id"]) == (job, "done", job)
    signed = f"{job}.{got['webhook-timestamp']}.".encode() + body
    expected = b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert got["webhook-signature"] == f"v1,{expected}"


async def test_server_that_does_not_answer_delays_only_its_own_caller(tmp_path: Path) -> None:
    silent, receiver = Receiver(released=asyncio.Event()), Receiver()
    async with silent.listening() as silent_port, receiver.listening() as port:
        of_both = settings(tmp_path, port) | {"ocr_url_ports": f"{port},{silent_port}", "ocr_api_keys": "a,b"}
        async with serving(ScriptedEngine(), **of_both) as client, asyncio.timeout(120):
            client.headers["X-API-Key"] = "a"
            await is_available(client)
            for key, called, jobs in (("a", silent_port, 6), ("b", port, 1)):
                client.headers["X-API-Key"] = key
                for _ in range(jobs):
                    callback = {"callback_url": f"http://127.0.0.1:{called}/"}
                    submitted = await client.post("/jobs", params=callback, files={"file": small_png()})
                    assert submitted.status_code == 202
            await receiver.requests.get()
            assert silent.requests.qsize() <= 4
            silent.released.set()
            for _ in range(6):
                await silent.requests.get()


async def test_redirect_of_a_callback_is_not_followed(tmp_path: Path) -> None:
    elsewhere = Receiver()
    async with elsewhere.listening() as other_port:
        location = f"Location: http://127.0.0.1:{other_port}/".encode()
        receiver = Receiver(b"HTTP/1.1 307 Temporary Redirect\r\n" + location + b"\r\n\r\n")
        async with receiver.listening() as port:
            ports = f"{port},{other_port}"
            async with serving(
                ScriptedEngine(), **settings(tmp_path, port) | {"ocr_url_ports": ports}
            ) as client:
                await is_available(client)
                callback = {"callback_url": f"http://127.0.0.1:{port}/"}
                async with failed_call(client):
                    await client.post("/jobs", params=callback, files={"file": small_png()})
    assert receiver.requests.qsize() == 1 and elsewhere.requests.empty()


async def test_callback_to_an_inner_address_is_not_made(tmp_path: Path) -> None:
    receiver = Receiver()
    async with (
        receiver.listening() as port,
        serving(ScriptedEngine(), **settings(tmp_path, port, allowed="example.com")) as client,
    ):
        await is_available(client)
        callback = {"callback_url": f"http://127.0.0.1:{port}/"}
        async with failed_call(client):
            await client.post("/jobs", params=callback, files={"file": small_png()})
    assert receiver.requests.empty()


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
