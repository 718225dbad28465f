"""Jobs over HTTP, with a database in a folder."""

import asyncio
import io
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from ocr_service.core.documents import PageResult
from ocr_service.core.errors import BrokenDocument, EngineUnavailable
from ocr_service.core.options import Options
from ocr_service.jobs import jobs as jobs_module
from ocr_service.storage.local import LocalStorage
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available, submitted
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

THREE_PAGES = pdf_of_text(["one", "two", "three"])


async def test_document_is_read_in_the_background(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        answer = await client.post("/jobs", files={"file": ("three.pdf", THREE_PAGES)}, data={"pages": "2-"})
        assert answer.status_code == 202
        job = answer.json()
        assert answer.headers["Location"] == f"/jobs/{job['id']}"
        assert job["state"] in ("pending", "running") and job["pages_total"] == 2
        done = await ended(client, job["id"])
        assert (done["state"], done["pages_done"], done["failed_pages"]) == ("done", 2, [])
        assert (done["file_name"], done["engine"]["name"], done["attempts"]) == ("three.pdf", "scripted", 1)
        result = await client.get(f"/jobs/{job['id']}/result")
        assert [page["index"] for page in result.json()["pages"]] == [2, 3]
        assert result.headers["X-Job-State"] == "done"
        markdown = await client.get(f"/jobs/{job['id']}/result", params={"format": "markdown"})
        assert markdown.text == "**page 2**\n\n**page 3**"
        assert (await client.get(f"/jobs/{job['id']}/pages/3")).json()["text"] == "page 3"
        html = await client.get(f"/jobs/{job['id']}/pages/3", params={"format": "html"})
        assert html.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<strong>page 3</strong>" in html.text and "page 2" not in html.text
        missing = await client.get(f"/jobs/{job['id']}/pages/1")
        assert (missing.status_code, missing.json()["code"]) == (404, "page_not_in_job")


async def test_picture_of_a_page_is_what_the_engine_sees(tmp_path: Path) -> None:
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, THREE_PAGES)
        picture = await client.get(f"/jobs/{job}/pages/2/picture")
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert Image.open(io.BytesIO(picture.content)).size[0] > 100
        assert (await client.get(f"/jobs/{job}/pages/4/picture")).json()["code"] == "page_not_in_job"


async def test_result_is_stored_as_that_of_a_request(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, THREE_PAGES, store_source="true")
        stored = (await ended(client, job))["storage"]
        assert stored["status"] == "stored" and job in stored["folder"]
        files = [Path(file["key"]).name for file in stored["files"]]
        assert files[:2] == ["result.json", "result.md"] and len(files) == 3
        result = json.loads((tmp_path / stored["files"][0]["key"]).read_text())
        assert result["text"] == "page 1\n\npage 2\n\npage 3"
        not_stored = await submitted(client, THREE_PAGES, store="false")
        assert (await ended(client, not_stored))["storage"] is None


async def test_result_equals_that_of_ocr(tmp_path: Path) -> None:
    fields = {"images": "false"}
    engine = FaultyEngine({2: BrokenDocument("Page 2 of the PDF is damaged.")})
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        direct = (await client.post("/ocr", files={"file": THREE_PAGES}, data=fields)).json()
        job = await submitted(client, THREE_PAGES, **fields)
        assert (await ended(client, job))["failed_pages"] == [2]
        result = (await client.get(f"/jobs/{job}/result")).json()
    for name in ("engine", "pages", "markdown", "text", "confidence", "warnings"):
        assert result[name] == direct[name], name


async def test_ocr_answers_with_a_job_if_the_client_prefers_it(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        answer = await client.post(
            "/ocr", files={"file": small_png()}, headers={"Prefer": "wait=1, respond-async"}
        )
        assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
        assert (await ended(client, answer.json()["id"]))["state"] == "done"


async def test_result_is_refused_until_the_job_is_done_unless_a_part_is_wanted(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, THREE_PAGES)
        engine.open(2)
        await progress(client, job, 1)
        early = await client.get(f"/jobs/{job}/result")
        assert (early.status_code, early.json()["code"]) == (409, "job_not_done")
        assert "1 of 3 pages" in early.json()["detail"]
        part = await client.get(f"/jobs/{job}/result", params={"partial": True})
        assert [page["index"] for page in part.json()["pages"]] == [2]
        assert part.headers["X-Job-State"] == "running"
        for number in (1, 3):
            engine.open(number)
        assert (await ended(client, job))["state"] == "done"


async def test_job_whose_pages_all_fail_has_the_error_of_the_first(tmp_path: Path) -> None:
    engine = FaultyEngine({1: BrokenDocument("Damaged.")})
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        failed = await ended(client, job)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "broken_document")
        result = await client.get(f"/jobs/{job}/result")
        assert (result.status_code, result.json()["code"]) == (422, "broken_document")


async def test_job_waits_for_an_engine_that_is_away(tmp_path: Path) -> None:
    engine = FaultyEngine({1: EngineUnavailable("vLLM is away.")})
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        await given_back(client, job)
        waiting = (await client.get(f"/jobs/{job}")).json()
        assert (waiting["state"], waiting["attempts"]) == ("pending", 0)


async def test_unexpected_error_ends_the_job_after_three_attempts(tmp_path: Path) -> None:
    engine = FailingAtTheEnd()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png(), restructure_pages="true")
        failed = await ended(client, job)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "job_lost")
        assert len(engine.seen) == 1, "the page was read again"


class FailingAtTheEnd(ScriptedEngine):
    """Fails when all pages are read, if they are to be restructured."""

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        raise ZeroDivisionError


async def test_cancelled_job_stops_its_pages_and_loses_its_files(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, THREE_PAGES)
        await engine.entered.get()
        cancelled = (await client.delete(f"/jobs/{job}")).json()
        assert cancelled["state"] == "cancelled"
        async with asyncio.timeout(120):
            await engine.cancelled.get()
        for path in ("result", "pages/1/picture"):
            answer = await client.get(f"/jobs/{job}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "job_cancelled")
        assert not (tmp_path / "jobs" / job).exists()


async def test_job_that_has_ended_is_deleted(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        job = await submitted(client, small_png())
        await ended(client, job)
        assert (await client.delete(f"/jobs/{job}")).status_code == 200
        gone = await client.get(f"/jobs/{job}")
        assert (gone.status_code, gone.json()["code"]) == (404, "job_not_found")
        assert not (tmp_path / "jobs" / job).exists()


async def test_job_goes_with_its_files_when_it_was_kept_for_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_SWEEP_SECONDS", 0.02)
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_jobs_keep=60) as client:
        job = await submitted(client, small_png(), store="false")
        await ended(client, job)
        with closing(sqlite3.connect(tmp_path / "jobs" / "jobs.sqlite")) as database:
            [kept] = database.execute("SELECT round(expires - ended) FROM jobs").fetchone()
            assert kept == 60
            database.execute("UPDATE jobs SET expires = ended")
            database.commit()
        async with asyncio.timeout(120):
            while (await client.get(f"/jobs/{job}")).status_code != 404:
                await asyncio.sleep(0.01)
        assert not (tmp_path / "jobs" / job).exists()


async def test_idempotency_key_gives_the_same_job(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "invoice 17"}
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        same = [
            (await client.post("/jobs", files={"file": small_png()}, headers=headers)).json()
            for _ in range(2)
        ]
        assert same[0]["id"] == same[1]["id"]
        other = await client.post("/jobs", files={"file": THREE_PAGES}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert len((await client.get("/jobs")).json()["jobs"]) == 1


async def test_equal_submits_at_once_with_one_key_give_one_job(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "one"}
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        answers = await asyncio.gather(
            *(client.post("/jobs", files={"file": small_png()}, headers=headers) for _ in range(5))
        )
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len((await client.get("/jobs")).json()["jobs"]) == 1


async def test_different_submits_at_once_with_one_key_do_not_share_a_job(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "one"}
    documents = [small_png(), *(pdf_of_text([text]) for text in ("one", "two", "three"))]
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        answers = await asyncio.gather(
            *(client.post("/jobs", files={"file": document}, headers=headers) for document in documents)
        )
        codes = sorted(answer.json().get("code", "") for answer in answers)
        assert codes == ["", *["idempotency_key_reused"] * 3]
        # Nothing would ever delete a document whose job is not accepted.
        assert len(list((tmp_path / "jobs").glob("*/document"))) == 1


async def test_jobs_are_listed_in_pages(tmp_path: Path) -> None:
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        ids = [await submitted(client, small_png()) for _ in range(3)]
        first = (await client.get("/jobs", params={"limit": 2})).json()
        assert [job["id"] for job in first["jobs"]] == [ids[2], ids[1]]
        last = (await client.get("/jobs", params={"limit": 2, "before": first["next"]})).json()
        assert ([job["id"] for job in last["jobs"]], last["next"]) == ([ids[0]], None)
        assert (await client.get("/jobs", params={"state": "done"})).json()["jobs"] == []


async def test_jobs_share_the_label_of_a_batch(tmp_path: Path) -> None:
    async with serving(GatedEngine(), ocr_output_dir=tmp_path) as client:
        await submitted(client, small_png())
        files, label = {"file": small_png()}, {"batch": "архив 1"}
        job = (await client.post("/jobs", params=label, files=files)).json()
        prefer = {"Prefer": "respond-async"}
        other = (await client.post("/ocr", params=label, files=files, headers=prefer)).json()
        assert (job["batch"], other["batch"]) == ("архив 1", "архив 1")
        listed = (await client.get("/jobs", params=label)).json()["jobs"]
        assert [each["id"] for each in listed] == [other["id"], job["id"]]
        refused = await client.post("/jobs", params={"batch": ""}, files=files)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_other_keys_do_not_see_a_job(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_api_keys="a,b") as client:
        mine, other = ({"X-API-Key": key} for key in "ab")
        client.headers.update(mine)
        job = await submitted(client, small_png())
        for path in (f"/jobs/{job}", f"/jobs/{job}/result", f"/jobs/{job}/events", f"/jobs/{job}/pages/1"):
            assert (await client.get(path, headers=other)).status_code == 404, path
        assert (await client.delete(f"/jobs/{job}", headers=other)).status_code == 404
        assert (await client.get("/jobs", headers=other)).json()["jobs"] == []


async def test_caller_with_too_many_jobs_is_refused(tmp_path: Path) -> None:
    async with serving(GatedEngine(), ocr_output_dir=tmp_path, ocr_jobs_max=1) as client:
        await submitted(client, small_png())
        refused = await client.post("/jobs", files={"file": small_png()})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
        assert "OCR_JOBS_MAX" in refused.json()["detail"] and refused.headers["Retry-After"]


@pytest.mark.parametrize(
    ("document", "fields", "code"),
    [
        (b"no document", {}, "not_a_document"),
        (THREE_PAGES, {"pages": "4"}, "pages_out_of_range"),
        (THREE_PAGES, {"lang": "tlh"}, "language_not_installed"),
        (THREE_PAGES, {"timeout": "5"}, "invalid_request"),
        (THREE_PAGES, {"nonsense": "5"}, "invalid_request"),
    ],
)
async def test_job_that_would_fail_is_refused(
    tmp_path: Path, document: bytes, fields: dict[str, str], code: str
) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        refused = await client.post("/jobs", files={"file": document}, data=fields)
        assert refused.json()["code"] == code
        assert (await client.get("/jobs")).json()["jobs"] == []


async def test_service_without_a_place_for_jobs_says_so() -> None:
    async with serving(ScriptedEngine()) as client:
        refused = await client.post("/jobs", files={"file": small_png()})
        assert (refused.status_code, refused.json()["code"]) == (503, "jobs_not_configured")
        assert "OCR_OUTPUT_DIR" in refused.json()["detail"]


async def test_jobs_can_have_a_folder_without_a_storage(tmp_path: Path) -> None:
    engine = GatedEngine()
    engine.open(1)
    async with serving(engine, ocr_jobs_dir=tmp_path) as client:
        await is_available(client)
        job = await submitted(client, small_png())
        assert (await ended(client, job))["state"] == "done"
        read = await client.post("/ocr", files={"file": small_png()})
        assert read.json()["storage"]["status"] == "disabled"


async def test_replicas_without_a_common_database_have_no_jobs(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_jobs_replicated=True) as client:
        refused = await client.get("/jobs")
        assert (refused.status_code, refused.json()["code"]) == (503, "jobs_not_configured")
        assert "OCR_JOBS_URL" in refused.json()["detail"]


async def test_invalid_parameter_is_named_in_the_usual_form(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        refused = await client.get("/jobs", params={"limit": "many", "state": "lost"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "limit: " in refused.json()["detail"] and "state: " in refused.json()["detail"]


async def test_methods_of_a_path_with_several_routes_are_named() -> None:
    async with serving(ScriptedEngine()) as client:
        assert (await client.put("/jobs")).headers["Allow"] == "GET, HEAD, POST"
        assert (await client.put("/jobs/1")).headers["Allow"] == "DELETE, GET, HEAD"


async def test_second_process_on_the_folder_is_refused_by_name(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as first:
        await is_available(first)
        async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as second:
            async with asyncio.timeout(120):
                while "Another process" not in (await second.get("/jobs")).text:
                    await asyncio.sleep(0.05)
            assert "OCR_JOBS_URL" in (await second.get("/jobs")).json()["detail"]


async def test_many_jobs_of_one_caller_do_not_delay_another(tmp_path: Path) -> None:
    engine = GatedEngine()
    settings: dict[str, Any] = {"ocr_output_dir": tmp_path, "ocr_api_keys": "a,b", "ocr_jobs_at_once": 1}
    async with serving(engine, **settings) as client:
        client.headers["X-API-Key"] = "a"
        await submitted(client, THREE_PAGES)
        await engine.entered.get()
        waiting = [await submitted(client, THREE_PAGES) for _ in range(2)]
        statuses = [(await client.get(f"/jobs/{job}")).json() for job in waiting]
        assert [(status["state"], status["position"]) for status in statuses] == [
            ("pending", 1),
            ("pending", 2),
        ]
        client.headers["X-API-Key"] = "b"
        job = await submitted(client, small_png())
        async with asyncio.timeout(120):
            while (await client.get(f"/jobs/{job}")).json()["state"] != "running":
                await asyncio.sleep(0.05)


async def progress(client: httpx.AsyncClient, job: str, pages: int) -> None:
    """Return when so many pages are read; fail if that takes too long."""
    async with asyncio.timeout(120):
        while (await client.get(f"/jobs/{job}")).json()["pages_done"] < pages:
            await asyncio.sleep(0.05)


async def given_back(client: httpx.AsyncClient, job: str) -> None:
    """Return when an attempt was given back; the job is pending again if it has begun and does not run."""
    async with asyncio.timeout(120):
        while True:
            status = (await client.get(f"/jobs/{job}")).json()
            if status["started"] and status["state"] == "pending":
                return
            await asyncio.sleep(0.05)
