"""A storage that is full: submits are refused, and no accepted job is lost."""

import pytest

from ocr_service.core.errors import StorageRefusal
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.memory_storage import MemoryStorage
from tests.http.jobs import ended, is_available, submitted
from tests.http.serving import serving
from tests.postgresql import RunningPostgresql
from tests.samples import small_png

pytestmark = pytest.mark.anyio


async def test_full_storage_refuses_a_submit_and_loses_no_accepted_job(postgresql: RunningPostgresql) -> None:
    engine, storage = GatedEngine(), MemoryStorage()
    async with serving(engine, storage, ocr_jobs_url=postgresql.new_database()) as client:
        job = await submitted(client, small_png(), store="false")
        await engine.entered.get()
        storage.trouble = StorageRefusal("The bucket is full.")
        refused = await client.post("/jobs", files={"file": small_png()})
        assert (refused.status_code, refused.json()["code"]) == (503, "jobs_unavailable")
        assert "The bucket is full." in refused.json()["detail"]
        assert [listed["id"] for listed in (await client.get("/jobs")).json()["jobs"]] == [job]
        storage.trouble = None
        engine.open(1)
        await is_available(client)
        assert (await ended(client, job))["state"] == "done"
        other = await submitted(client, small_png(), store="false")
        assert (await ended(client, other))["state"] == "done"
