"""The events of jobs, with a database in a folder."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ocr_service.api.routes import job_events
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, submitted
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

THREE_PAGES = pdf_of_text(["one", "two", "three"])


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that come only when the process itself changes the job."""
    monkeypatch.setattr(job_events, "_COMMENT_SECONDS", 3600)


async def test_events_go_on_after_the_last_one_that_the_client_has(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, THREE_PAGES)
        await ended(client, job)
        all_events = await client.get(f"/jobs/{job}/events")
        later = await client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": "2"})
        others = [
            await client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": foreign})
            for foreign in ("4", "x", "9" * 5000)
        ]
    assert all_events.headers["Content-Type"].startswith("text/event-stream")
    assert all_events.headers["X-Accel-Buffering"] == "no"
    ids = [line for line in all_events.text.splitlines() if line.startswith("id: ")]
    assert ids == ["id: 1", "id: 2", "id: 3"]
    assert [line for line in later.text.splitlines() if line.startswith("id: ")] == ["id: 3"]
    assert all(other.text == all_events.text for other in others), "an id that is none of this job"
    assert all_events.text.count("event: end") == later.text.count("event: end") == 1


async def test_events_of_a_job_that_is_deleted_end(tmp_path: Path) -> None:
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        async with asyncio.timeout(120), client.stream("GET", f"/jobs/{job}/events") as events:
            parts = events.aiter_text()
            await anext(parts)
            for _ in range(2):
                assert (await client.delete(f"/jobs/{job}")).status_code == 200
            # A connection that breaks off raises an error here.
            assert [part async for part in parts if "event: page" in part] == []
            assert (await client.get(f"/jobs/{job}")).status_code == 404


async def test_silent_events_send_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert job_events._COMMENT_SECONDS == 15, "gateways end a connection that is silent for longer"
    monkeypatch.setattr(job_events, "_COMMENT_SECONDS", 0.01)
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        async with asyncio.timeout(120), client.stream("GET", f"/jobs/{job}/events") as events:
            lines = events.aiter_lines()
            while not (await anext(lines)).startswith(": "):
                pass


@pytest.mark.usefixtures("no_looks")
async def test_events_come_with_the_changes_of_a_job(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with asyncio.timeout(120), serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        following = asyncio.create_task(ended(client, job))
        await engine.entered.get()
        engine.open(1)
        assert (await following)["state"] == "done"


@pytest.mark.usefixtures("no_looks")
async def test_cancelled_job_ends_its_events(tmp_path: Path) -> None:
    async with asyncio.timeout(120), serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        async with client.stream("GET", f"/jobs/{job}/events") as events:
            lines = events.aiter_lines()
            while await anext(lines) != "event: state":
                pass
            (await client.delete(f"/jobs/{job}")).raise_for_status()
            assert "event: end" in [line async for line in lines]


@pytest.mark.usefixtures("no_looks")
async def test_stop_of_the_service_ends_the_events_of_a_waiting_job(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    service = serving(GatedEngine(), ocr_output_dir=tmp_path, ocr_jobs_at_once=1)
    try:
        async with asyncio.timeout(120), service as client:
            await submitted(client, small_png())
            job = await submitted(client, small_png())
            async with client.stream("GET", f"/jobs/{job}/events") as events:
                lines = events.aiter_lines()
                while await anext(lines) != "event: state":
                    pass
                os.kill(os.getpid(), signal.SIGTERM)
                assert "event: end" not in [line async for line in lines]
    finally:
        signal.signal(signal.SIGTERM, before)
