"""A disk that is really full: a small file system in memory, which only root can mount."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_service.jobs import attempt
from tests.fakes.gated_engine import GatedEngine
from tests.http.jobs import ended, submitted
from tests.http.serving import serving
from tests.samples import small_png

pytestmark = pytest.mark.anyio


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk to the last byte with a file."""
    file = disk / "filler"
    with file.open("wb", buffering=0) as filler:
        for size in (2**16, 2**12, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                pass
    return file


async def test_full_disk_refuses_submits_and_keeps_accepted_jobs(
    disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempt, "_OUTAGE_PAUSE", 0.1)
    engine = GatedEngine()
    async with serving(engine, ocr_output_dir=disk) as client:
        job = await submitted(client, small_png(), store="false")
        await engine.entered.get()
        filler = fill(disk)
        refused = await client.post("/jobs", files={"file": small_png()}, data={"store": "false"})
        assert (refused.status_code, refused.json()["code"]) == (507, "jobs_full")
        assert "full" in refused.json()["detail"] and refused.headers["Retry-After"]
        assert (await client.get(f"/jobs/{job}")).json()["state"] == "running"
        engine.open(1)
        async with asyncio.timeout(120):
            while f"job {job} goes on" not in caplog.text:
                await asyncio.sleep(0.05)
        assert (await client.get("/health")).status_code == 200
        direct = await client.post("/ocr", files={"file": small_png()}, data={"store": "false"})
        assert direct.status_code == 200
        filler.unlink()
        assert (await ended(client, job))["state"] == "done"
        other = await submitted(client, small_png(), store="false")
        assert (await ended(client, other))["state"] == "done"
