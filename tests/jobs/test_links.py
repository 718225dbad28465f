"""Replicas answer about the jobs of each other to PaddleOCR's clients."""

from pathlib import Path
from typing import Any

import pytest

from ocr_service.storage.local import LocalStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available
from tests.http.serving import serving
from tests.postgresql import RunningPostgresql
from tests.samples import small_png

pytestmark = pytest.mark.anyio


async def test_address_of_one_replica_is_valid_at_the_other(
    tmp_path: Path, postgresql: RunningPostgresql
) -> None:
    settings: dict[str, Any] = {"ocr_output_dir": tmp_path, "ocr_jobs_url": postgresql.new_database()}
    storage = LocalStorage(tmp_path)
    async with (
        serving(ScriptedEngine(), storage, **settings) as first,
        serving(ScriptedEngine(), storage, **settings) as second,
    ):
        for replica in (first, second):
            await is_available(replica)
        sent = await first.post(
            "/api/v2/ocr/jobs", files={"file": small_png()}, data={"model": "PaddleOCR-VL-1.6"}
        )
        job = sent.json()["data"]["jobId"]
        await ended(second, job)
        status = (await second.get(f"/api/v2/ocr/jobs/{job}")).json()["data"]
        address = status["resultUrl"]["jsonUrl"].replace(str(second.base_url), str(first.base_url))
        answer = await first.get(address)
    assert answer.status_code == 200 and "**page 1**" in answer.text
