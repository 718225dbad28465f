"""Jobs whose caller, storage or memory is not there when it is needed."""

import asyncio
from typing import Any

import pytest

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.errors import StorageOutage
from ocr_service.core.options import Options
from ocr_service.jobs import attempt
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available, submitted
from tests.http.scraping import scrape
from tests.http.serving import serving
from tests.postgresql import RunningPostgresql
from tests.samples import small_png

pytestmark = pytest.mark.anyio

REQUESTS = "ocr_requests_total"


class PagesAway(MemoryStorage):
    """Pages cannot be read while `away` is set. asked: set when one was wanted meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.away = True
        self.asked = asyncio.Event()

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        if self.away and "/page-" in key:
            self.asked.set()
            raise StorageOutage("The bucket is away.")
        return await super().get(key, max_bytes)


class LongText(ScriptedEngine):
    async def recognize(self, page: Page, options: Options) -> PageResult:
        text = "a" * 1_200_000
        return PageResult(page.index, *page.image.size, markdown=text, text=text, blocks=())


async def test_caller_that_leaves_during_the_submit_has_no_job(postgresql: RunningPostgresql) -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage, ocr_jobs_url=postgresql.new_database()) as client:
        await is_available(client)
        storage.gate.clear()
        before = await scrape(client)
        submit = asyncio.create_task(client.post("/jobs", files={"file": small_png()}))
        assert (await storage.put_begun.get()).endswith("/document")
        submit.cancel()
        await asyncio.gather(submit, return_exceptions=True)
        async with asyncio.timeout(120):
            # The service has ended the request whose client has left.
            while ("scripted", "/jobs", "499") not in (await scrape(client)).since(before, REQUESTS):
                await asyncio.sleep(0.02)
        storage.gate.set()
        assert (await client.get("/jobs")).json()["jobs"] == []


async def test_job_waits_for_a_storage_that_is_away_at_its_end(
    postgresql: RunningPostgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_OUTAGE_PAUSE", 0.1)
    storage = PagesAway()
    async with serving(ScriptedEngine(), storage, ocr_jobs_url=postgresql.new_database()) as client:
        job = await submitted(client, small_png())
        await storage.asked.wait()
        storage.away = False
        status = await ended(client, job)
        assert (status["state"], status["storage"]["status"]) == ("done", "stored")


async def test_pages_beyond_the_memory_are_not_stored_and_not_lost(postgresql: RunningPostgresql) -> None:
    settings: dict[str, Any] = {"ocr_jobs_url": postgresql.new_database(), "ocr_max_documents_mb": 1}
    async with serving(LongText(), MemoryStorage(), **settings) as client:
        job = await submitted(client, small_png())
        status = await ended(client, job)
        assert (status["state"], status["storage"]["status"]) == ("done", "failed")
        assert "OCR_MAX_DOCUMENTS_MB" in status["storage"]["error"]
        assert len((await client.get(f"/jobs/{job}/pages/1")).json()["text"]) == 1_200_000
        restructured = await submitted(client, small_png(), restructure_pages="true")
        assert (await ended(client, restructured))["error"]["code"] == "pages_too_large"
