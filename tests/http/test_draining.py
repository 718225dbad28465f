"""Draining after SIGTERM: running requests finish, new ones are refused."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocr_service.core.errors import StorageOutage
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.running import NO_CERTIFICATES
from tests.samples import pdf_of_text, small_png
from tests.streams import events_in

pytestmark = pytest.mark.anyio

FILE = {"file": small_png()}
Busy = tuple[httpx.AsyncClient, "asyncio.Task[httpx.Response]"]


@pytest.fixture(autouse=True)
def _ignore_sigterm() -> Iterator[None]:
    """uvicorn raises the signal again after shutdown; ignore it, so that the test process survives."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def busy(engine: GatedEngine, **settings: Any) -> AsyncIterator[Busy]:
    """A service that has received SIGTERM and reads a page, which waits in the engine."""
    async with serving(engine, **settings) as client:
        reading = asyncio.create_task(client.post("/ocr", files=FILE))
        await engine.entered.get()
        stop()
        while (await client.get("/health/ready")).status_code == 200:
            pass
        yield client, reading


async def test_draining_finishes_running_requests_and_refuses_new_ones() -> None:
    engine = GatedEngine()
    async with busy(engine) as (client, reading):
        ready = await client.get("/health/ready")
        alive = [await client.get(path) for path in ("/health", "/health/live", "/version")]
        refused = await client.post("/ocr", files=FILE)
        engine.open(1)
        answer = await reading
    assert ready.json() == {"status": "not_ready", "reasons": ["the service is stopping"]}
    assert [response.status_code for response in alive] == [200, 200, 200]
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert refused.headers["connection"] == "close"
    assert answer.status_code == 200


async def test_body_of_a_refused_upload_is_read_so_that_the_client_gets_the_response() -> None:
    engine = GatedEngine()
    async with busy(engine) as (client, reading):
        refused = await client.post("/ocr", files={"file": bytes(20_000_000)})
        engine.open(1)
        assert (await reading).status_code == 200
    assert refused.status_code == 503


async def test_upload_started_before_draining_is_accepted() -> None:
    engine = GatedEngine()
    engine.open(1)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        begun.set()
        await may_end.wait()
        yield small_png() + b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with serving(engine) as client:
        reading = asyncio.create_task(client.post("/ocr", content=upload(), headers=headers))
        await begun.wait()
        # This later request is answered, so the service has received the headers of the upload.
        await client.get("/version")
        stop()
        while (await client.get("/health/ready")).status_code == 200:
            pass
        may_end.set()
        assert (await reading).status_code == 200


async def test_request_beyond_the_drain_timeout_gets_an_error() -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_drain_timeout=0.2) as client:
        reading = asyncio.create_task(client.post("/ocr", files=FILE))
        await engine.entered.get()
        stop()
        answer = await reading
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")


async def test_stream_beyond_the_drain_timeout_gets_an_error_event() -> None:
    engine = GatedEngine()
    engine.open(1)
    async with serving(engine, ocr_drain_timeout=0.2) as client:
        files = {"file": pdf_of_text(["a", "b"])}
        headers = {"Accept": "application/x-ndjson"}
        async with client.stream("POST", "/ocr", files=files, headers=headers) as response:
            coming = events_in(response)
            events = [await anext(coming) for _ in range(2)]
            stop()
            events += [event async for event in coming]
    assert [event["event"] for event in events] == ["start", "page", "error"]
    assert events[-1]["problem"]["code"] == "draining"


async def test_spooled_results_are_uploaded_while_draining(tmp_path: Path) -> None:
    storage = MemoryStorage(trouble=StorageOutage("Away."))
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.1) as client:
        answer = await client.post("/ocr", files=FILE)
        assert answer.json()["storage"]["status"] == "pending"
        # The storage works again, and the service has not noticed yet.
        storage.trouble = None
        stop()
        folder = answer.json()["storage"]["folder"]
        for _ in range(2):
            assert (await storage.stored.get()).startswith(folder)
        # The service stops by itself when the spool is empty.
        while not await is_refused(client):
            pass
    assert not list((tmp_path / "spool").rglob("*.json"))


async def test_second_signal_ends_the_upload_of_the_spool(tmp_path: Path) -> None:
    """The upload would use the storage after its end; the spool keeps the result."""
    storage = MemoryStorage(trouble=StorageOutage("Away."))
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.1) as client:
        await client.post("/ocr", files=FILE)
        storage.trouble, storage.put_begun = None, asyncio.Queue()
        storage.gate.clear()
        stop()
        await storage.put_begun.get()
        stop()
    assert storage.closed
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 1


async def test_second_signal_stops_accepting_connections_at_once() -> None:
    engine = GatedEngine()
    async with busy(engine) as (client, reading):
        stop()
        while not await is_refused(client):
            pass
        engine.open(1)
        assert (await reading).status_code == 200


async def is_refused(client: httpx.AsyncClient) -> bool:
    try:
        async with httpx.AsyncClient(
            base_url=client.base_url, timeout=120, verify=NO_CERTIFICATES
        ) as another:
            await another.get("/health")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        # The system had accepted the connection right before the service closed its socket.
        return False
    return False
