"""Stored results, the storage status in the response, and storage failures."""

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocr_service import __version__
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.errors import StorageOutage, StorageRefusal
from ocr_service.core.options import Options
from ocr_service.storage.local import LocalStorage
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

NDJSON = {"Accept": "application/x-ndjson"}
AWAY = StorageOutage("The storage is away.")
REFUSED = StorageRefusal("There is no such bucket.")


class _Illustrated(ScriptedEngine):
    """Every page has an image under the same path."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        read = await super().recognize(page, options)
        picture = {"imgs/a.jpg": b"picture %d" % page.index}
        return replace(read, markdown=f"![]( imgs/a.jpg ) {page.index}", images=picture)


async def post(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    file = {"file": ("скан.png", small_png())}
    answer = await client.post("/ocr", files=file, data=fields, headers=headers or {})
    return answer.raise_for_status()


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def post_and_get_storage(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    storage: dict[str, Any] = (await post(client, **fields)).json()["storage"]
    return storage


async def state(client: httpx.AsyncClient) -> dict[str, Any]:
    health: dict[str, Any] = (await client.get("/health")).json()["storage"]
    return health


def day_of(folder: str) -> str:
    """Return the date prefix of a folder; it must be today, or yesterday right after midnight."""
    day = "/".join(folder.split("/")[:3])
    now = datetime.now(UTC)
    assert day in {f"{moment:%Y/%m/%d}" for moment in (now, now - timedelta(minutes=5))}
    return day


async def test_response_lists_all_stored_objects() -> None:
    storage = MemoryStorage()
    async with serving(_Illustrated(), storage) as client:
        answer = (await post(client, store_source="true")).json()
        health = await state(client)
    report = answer.pop("storage")
    folder = f"ocr/{day_of(report['folder'].removeprefix('ocr/'))}/{answer['request_id']}/"
    assert {name: report[name] for name in ("status", "kind", "bucket", "folder", "error")} == {
        "status": "stored",
        "kind": "s3",
        "bucket": "memory",
        "folder": folder,
        "error": None,
    }
    assert {file["key"].removeprefix(folder): file["content_type"] for file in report["files"]} == {
        "result.json": "application/json; charset=utf-8",
        "result.md": "text/markdown; charset=utf-8",
        "imgs/a.jpg": "image/jpeg",
        "source/скан.png": "image/png",
    }
    for file in report["files"]:
        assert len(storage.objects[file["key"]]) == file["size"]
        assert storage.types[file["key"]] == file["content_type"]
        assert file["url"] == f"https://memory.example/{file['key']}?signed"
        assert storage.metadata[file["key"]] == {
            "source-sha256": hashlib.sha256(small_png()).hexdigest(),
            "engine": "scripted",
            "engine-version": "1.2.3",
            "service-version": __version__,
            "request-id": answer["request_id"],
        }
    assert json.loads(storage.objects[f"{folder}result.json"]) == answer
    assert storage.objects[f"{folder}result.md"].decode() == answer["markdown"]
    assert storage.objects[f"{folder}imgs/a.jpg"] == b"picture 1"
    assert storage.objects[f"{folder}source/скан.png"] == small_png()
    assert (health["kind"], health["state"], health["error"]) == ("s3", "ready", None)
    assert storage.closed


async def test_images_of_two_pages_with_the_same_path_are_both_stored() -> None:
    storage = MemoryStorage()
    async with serving(_Illustrated(), storage) as client:
        answer = await client.post("/ocr", files={"file": pdf_of_text(["a"] * 2)})
    folder = answer.json()["storage"]["folder"]
    markdown = storage.objects[f"{folder}result.md"].decode()
    assert markdown == "![]( imgs/a.jpg ) 1\n\n![]( page_2/imgs/a.jpg ) 2"
    assert storage.objects[f"{folder}imgs/a.jpg"] == b"picture 1"
    assert storage.objects[f"{folder}page_2/imgs/a.jpg"] == b"picture 2"


@pytest.mark.parametrize("format_name", ["markdown", "text"])
async def test_markdown_and_text_report_storage_in_headers(format_name: str) -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await post(client, format=format_name)
    folder = answer.headers["x-storage-folder"]
    assert answer.headers["x-storage-status"] == "stored"
    assert json.loads(storage.objects[f"{folder}result.json"])["text"] == "page 1"


async def test_stream_reports_storage_in_its_last_line() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", files={"file": pdf_of_text(["a"] * 3)}, headers=NDJSON)
    end = json.loads(answer.text.splitlines()[-1])
    assert end["storage"]["status"] == "stored"
    result = json.loads(storage.objects[end["storage"]["folder"] + "result.json"])
    assert [page["text"] for page in result["pages"]] == ["page 1", "page 2", "page 3"]
    assert result["timings"] == end["timings"]


@pytest.mark.parametrize("headers", [{}, NDJSON], ids=["json", "stream"])
async def test_store_false_stores_nothing(headers: dict[str, str]) -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await post(client, headers, store="false", store_source="true")
    assert json.loads(answer.text.splitlines()[-1])["storage"]["status"] == "disabled"
    assert not storage.objects


async def test_unreadable_document_is_not_stored() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", files={"file": b"\xff\xd8\xff no picture"})
    assert answer.status_code == 422
    assert not storage.objects


async def test_equal_request_ids_get_separate_folders(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), LocalStorage(tmp_path)) as client:
        first, second = [(await post(client, {"X-Request-ID": "a:b..c"})).json() for _ in range(2)]
    assert first["request_id"] == second["request_id"] == "a:b..c"
    folders = {answer["storage"]["folder"] for answer in (first, second)}
    assert len(folders) == 2
    for folder in folders:
        assert folder.split("/")[3].startswith("a_b..c-")
        assert (tmp_path / folder / "result.json").is_file()


async def test_local_storage_has_the_same_layout(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), LocalStorage(tmp_path)) as client:
        report = await post_and_get_storage(client, store_source="true")
    assert (report["status"], report["kind"], report["bucket"]) == ("stored", "local", None)
    assert files_below(tmp_path) == {file["key"] for file in report["files"]}
    assert {file["url"] for file in report["files"]} == {None}
    assert report["folder"] == f"{day_of(report['folder'])}/{report['folder'].split('/')[3]}/"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a disk can only be mounted as root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


async def test_full_disk_is_reported_and_the_service_continues(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(20 * 1024))
    async with serving(ScriptedEngine(), LocalStorage(small_disk)) as client:
        statuses = [await post_and_get_storage(client) for _ in range(8)]
        health = await state(client)
        (small_disk / "filler").unlink()
        after = await post_and_get_storage(client)
    assert (statuses[-1]["status"], statuses[-1]["error"]) == ("failed", "The output volume is full.")
    assert statuses[-1]["files"] == []
    assert (health["state"], health["error"]) == ("refused", "The output volume is full.")
    assert after["status"] == "stored"
    parts = {path for path in files_below(small_disk) if path.endswith(".part")}
    assert not parts, "a failed write must leave no partial file"


async def test_read_only_disk_is_reported_and_the_service_continues(small_disk: Path) -> None:
    make_read_only(small_disk)
    async with serving(ScriptedEngine(), LocalStorage(small_disk)) as client:
        report = await post_and_get_storage(client)
    assert (report["status"], report["error"]) == ("failed", "The output volume is read-only.")


async def test_output_path_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with serving(ScriptedEngine(), LocalStorage(tmp_path / "file")) as client:
        report = await post_and_get_storage(client)
    assert (report["status"], report["error"]) == ("failed", "The output volume is not a folder.")


async def test_short_outage_is_retried() -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage) as client:
        request = asyncio.create_task(post_and_get_storage(client))
        await storage.put_begun.get()
        storage.trouble = None
        assert (await request)["status"] == "stored"


async def test_result_is_spooled_during_an_outage_and_uploaded_later(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        report = await post_and_get_storage(client)
        assert (report["status"], report["error"]) == ("pending", AWAY.detail)
        assert {file["url"] for file in report["files"]} == {None}
        health = await state(client)
        assert (health["state"], health["error"]) == ("unavailable", AWAY.detail)
        assert health["spool"]["documents"] == 1
        assert health["spool"]["bytes"] == sum(file["size"] for file in report["files"])
        storage.trouble = None
        assert {await storage.stored.get(), await storage.stored.get()} == {f["key"] for f in report["files"]}
        await until_empty(client)
        assert (await state(client))["state"] == "ready"
        assert (await post_and_get_storage(client))["status"] == "stored"


async def until_empty(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(120):
        while (await state(client))["spool"]["documents"]:
            await asyncio.sleep(0.02)


async def test_request_does_not_wait_for_a_storage_with_a_known_outage(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    patient: dict[str, Any] = {"ocr_output_dir": tmp_path, "ocr_store_timeout": 600}
    async with serving(ScriptedEngine(), storage, **patient) as client:
        await post_and_get_storage(client)
        # From now on every call hangs.
        storage.gate.clear()
        async with asyncio.timeout(120):
            report = await asyncio.gather(*(post_and_get_storage(client) for _ in range(5)))
        assert {one["status"] for one in report} == {"pending"}
        storage.trouble = None
        storage.gate.set()
        await until_empty(client)
    assert len(storage.objects) == 12


async def test_refused_result_is_spooled_and_uploaded_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = MemoryStorage(REFUSED)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        report = [await post_and_get_storage(client) for _ in range(3)]
        assert {(one["status"], one["error"]) for one in report} == {("pending", REFUSED.detail)}
        assert (await state(client))["state"] == "refused"
        storage.trouble = None
        await until_empty(client)
    messages = [record.getMessage() for record in caplog.records if "storage refused" in record.getMessage()]
    assert messages == [f"storage refused: {REFUSED.detail}"]


async def test_hanging_storage_times_out_as_configured(tmp_path: Path) -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.2) as client:
        report = await post_and_get_storage(client)
        assert (report["status"], report["error"]) == ("pending", "The storage took more than 0.2 seconds.")
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 1, (
        "the entry must survive the end of the service"
    )


async def test_full_spool_is_reported(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_spool_max_mb=1) as client:
        large = small_png() + os.urandom(700_000)
        report = []
        for _ in range(2):
            answer = await client.post("/ocr", files={"file": large}, data={"store_source": "true"})
            report.append(answer.raise_for_status().json()["storage"])
        assert [one["status"] for one in report] == ["pending", "failed"]
        assert report[1]["error"] == f"{AWAY.detail} The spool is full: its limit is 1 MiB."
        assert report[1]["files"] == []
        storage.trouble = None
        await until_empty(client)


async def test_refusal_without_a_spool_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(ScriptedEngine(), MemoryStorage(REFUSED)) as client:
        report = [await post_and_get_storage(client) for _ in range(3)]
        assert (await state(client))["spool"] is None
    assert {(one["status"], one["error"]) for one in report} == {("failed", REFUSED.detail)}
    assert caplog.text.count("storage refused") == 1


async def test_unexpected_storage_error_is_not_shown_to_the_client() -> None:
    async with serving(ScriptedEngine(), MemoryStorage(RuntimeError("secret"))) as client:
        answer = await post(client)
    assert answer.json()["text"] == "page 1"
    assert answer.json()["storage"]["status"] == "failed"
    assert "secret" not in answer.text


async def test_storing_continues_after_a_disconnect() -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage) as client:
        request = asyncio.create_task(post(client, NDJSON))
        for _ in range(2):
            await storage.put_begun.get()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        storage.gate.set()
        await storage.stored.get()
        await storage.stored.get()


async def test_shutdown_spools_unfinished_uploads(tmp_path: Path) -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.5) as client:
        request = asyncio.create_task(post(client, NDJSON))
        await storage.put_begun.get()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 1
    assert storage.closed
