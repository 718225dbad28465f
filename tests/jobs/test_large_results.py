"""The result of a job is answered page by page, so that its pictures are never in memory together."""

import json
import os
import socket
from dataclasses import replace

import httpx
import pytest

from ocr_service.api.requests.accept import NDJSON
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, submitted
from tests.http.serving import serving
from tests.postgresql import RunningPostgresql
from tests.running import NO_CERTIFICATES
from tests.samples import pdf_of_text
from tests.streams import events_of

pytestmark = pytest.mark.anyio

PAGES = 30
PICTURE = os.urandom(2**20)
# Pages that the service reads at a time, and some more for the buffers of a connection on loopback.
MOST_AHEAD = 8 + 12
# Otherwise the kernel makes the buffer as large as its settings allow.
SMALL_BUFFER = (socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)


class IllustratedEngine(ScriptedEngine):
    async def recognize(self, page: Page, options: Options) -> PageResult:
        return replace(await super().recognize(page, options), images={"imgs/photo.jpg": PICTURE})


class CountingStorage(MemoryStorage):
    pages_read = 0

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        self.pages_read += "/page-" in key
        return await super().get(key, max_bytes)


async def test_result_is_read_from_the_storage_as_the_client_takes_it(postgresql: RunningPostgresql) -> None:
    storage = CountingStorage()
    document = pdf_of_text([f"page {number}" for number in range(PAGES)], size=(100, 100))
    async with serving(IllustratedEngine(), storage, ocr_jobs_url=postgresql.new_database()) as client:
        job = await submitted(client, document, store="false")
        assert (await ended(client, job))["state"] == "done"
        storage.pages_read, most_ahead, body = 0, 0, bytearray()
        transport = httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES, socket_options=[SMALL_BUFFER])
        async with (
            httpx.AsyncClient(base_url=client.base_url, transport=transport, timeout=120) as reader,
            reader.stream("GET", f"/jobs/{job}/result") as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                taken = len(body) * 3 // 4 // len(PICTURE)
                most_ahead = max(most_ahead, storage.pages_read - taken)
        lines = await client.get(f"/jobs/{job}/result?images=false", headers={"Accept": NDJSON})
    assert storage.pages_read == 2 * PAGES and most_ahead <= MOST_AHEAD
    result = json.loads(body)
    start, *pages, end = events_of(lines.text)
    assert (lines.headers["Content-Type"], start["page_count"]) == (NDJSON, PAGES)
    assert [line["page"] for line in pages] == [{**page, "images": {}} for page in result["pages"]]
    assert (end["event"], end["failed_pages"], len(pages)) == ("end", [], PAGES)
    assert result["text"] == "\n\n".join(page["text"] for page in result["pages"])
    assert (result["confidence"], result["timings"]) == (end["confidence"], end["timings"])
