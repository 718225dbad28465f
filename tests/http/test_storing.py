"""What is stored of a document, what the answer says of it, and what it says when that fails."""

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
    """Every page has a picture, under the same path."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        read = await super().recognize(page, options)
        picture = {"imgs/a.jpg": b"picture %d" % page.index}
        return replace(read, markdown=f"![]( imgs/a.jpg ) {page.index}", images=picture)


async def ask(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    file = {"file": ("скан.png", small_png())}
    answer = await client.post("/ocr", files=file, data=fields, headers=headers or {})
    return answer.raise_for_status()


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def stored_by(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    storage: dict[str, Any] = (await ask(client, **fields)).json()["storage"]
    return storage


async def state(client: httpx.AsyncClient) -> dict[str, Any]:
    health: dict[str, Any] = (await client.get("/health")).json()["storage"]
    return health


def day_of(folder: str) -> str:
    """Return the day that a folder begins with; it must be this one, or the one that has just ended."""
    day = "/".join(folder.split("/")[:3])
    now = datetime.now(UTC)
    assert day in {f"{moment:%Y/%m/%d}" for moment in (now, now - timedelta(minutes=5))}
    return day


async def test_answer_says_where_everything_is() -> None:
    storage = MemoryStorage()
    async with serving(_Illustrated(), storage) as client:
        answer = (await ask(client, store_source="true")).json()
        health = await state(client)
    said = answer.pop("storage")
    folder = f"ocr/{day_of(said['folder'].removeprefix('ocr/'))}/{answer['request_id']}/"
    assert {name: said[name] for name in ("status", "kind", "bucket", "folder", "error")} == {
        "status": "stored",
        "kind": "s3",
        "bucket": "memory",
        "folder": folder,
        "error": None,
    }
    assert {file["key"].removeprefix(folder): file["content_type"] for file in said["files"]} == {
        "result.json": "application/json; charset=utf-8",
        "result.md": "text/markdown; charset=utf-8",
        "imgs/a.jpg": "image/jpeg",
        "source/скан.png": "image/png",
    }
    for file in said["files"]:
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


async def test_pictures_of_two_pages_under_one_path_are_both_kept() -> None:
    storage = MemoryStorage()
    async with serving(_Illustrated(), storage) as client:
        answer = await client.post("/ocr", files={"file": pdf_of_text(["a"] * 2)})
    folder = answer.json()["storage"]["folder"]
    markdown = storage.objects[f"{folder}result.md"].decode()
    assert markdown == "![]( imgs/a.jpg ) 1\n\n![]( page_2/imgs/a.jpg ) 2"
    assert storage.objects[f"{folder}imgs/a.jpg"] == b"picture 1"
    assert storage.objects[f"{folder}page_2/imgs/a.jpg"] == b"picture 2"


@pytest.mark.parametrize("format_name", ["markdown", "text"])
async def test_markdown_and_text_tell_it_in_headers(format_name: str) -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await ask(client, format=format_name)
    folder = answer.headers["x-storage-folder"]
    assert answer.headers["x-storage-status"] == "stored"
    assert json.loads(storage.objects[f"{folder}result.json"])["text"] == "page 1"


async def test_stream_tells_it_in_its_last_line() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", files={"file": pdf_of_text(["a"] * 3)}, headers=NDJSON)
    end = json.loads(answer.text.splitlines()[-1])
    assert end["storage"]["status"] == "stored"
    result = json.loads(storage.objects[end["storage"]["folder"] + "result.json"])
    assert [page["text"] for page in result["pages"]] == ["page 1", "page 2", "page 3"]
    assert result["timings"] == end["timings"]


@pytest.mark.parametrize("headers", [{}, NDJSON], ids=["json", "stream"])
async def test_caller_may_not_want_it(headers: dict[str, str]) -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await ask(client, headers, store="false", store_source="true")
    assert json.loads(answer.text.splitlines()[-1])["storage"]["status"] == "disabled"
    assert not storage.objects


async def test_nothing_is_stored_of_a_document_that_cannot_be_read() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", files={"file": b"\xff\xd8\xff no picture"})
    assert answer.status_code == 422
    assert not storage.objects


async def test_ids_that_callers_choose_never_share_a_folder(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), LocalStorage(tmp_path)) as client:
        first, second = [(await ask(client, {"X-Request-ID": "a:b..c"})).json() for _ in range(2)]
    assert first["request_id"] == second["request_id"] == "a:b..c"
    folders = {answer["storage"]["folder"] for answer in (first, second)}
    assert len(folders) == 2
    for folder in folders:
        assert folder.split("/")[3].startswith("a_b..c-")
        assert (tmp_path / folder / "result.json").is_file()


async def test_folder_has_the_same_layout(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), LocalStorage(tmp_path)) as client:
        said = await stored_by(client, store_source="true")
    assert (said["status"], said["kind"], said["bucket"]) == ("stored", "local", None)
    assert files_below(tmp_path) == {file["key"] for file in said["files"]}
    assert {file["url"] for file in said["files"]} == {None}
    assert said["folder"] == f"{day_of(said['folder'])}/{said['folder'].split('/')[3]}/"


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


async def test_full_disk_is_told_and_the_service_goes_on(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(20 * 1024))
    async with serving(ScriptedEngine(), LocalStorage(small_disk)) as client:
        statuses = [await stored_by(client) for _ in range(8)]
        health = await state(client)
        (small_disk / "filler").unlink()
        after = await stored_by(client)
    assert (statuses[-1]["status"], statuses[-1]["error"]) == ("failed", "The output volume is full.")
    assert statuses[-1]["files"] == []
    assert (health["state"], health["error"]) == ("refused", "The output volume is full.")
    assert after["status"] == "stored"
    parts = {path for path in files_below(small_disk) if path.endswith(".part")}
    assert not parts, "what does not fit leaves nothing behind"


async def test_read_only_disk_is_told_and_the_service_goes_on(small_disk: Path) -> None:
    make_read_only(small_disk)
    async with serving(ScriptedEngine(), LocalStorage(small_disk)) as client:
        said = await stored_by(client)
    assert (said["status"], said["error"]) == ("failed", "The output volume is read-only.")


async def test_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with serving(ScriptedEngine(), LocalStorage(tmp_path / "file")) as client:
        said = await stored_by(client)
    assert (said["status"], said["error"]) == ("failed", "The output volume is not a folder.")


async def test_outage_that_passes_is_not_noticed() -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage) as client:
        asking = asyncio.create_task(stored_by(client))
        await storage.put_begun.get()
        storage.trouble = None
        assert (await asking)["status"] == "stored"


async def test_what_cannot_be_stored_waits_and_goes_up(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        said = await stored_by(client)
        assert (said["status"], said["error"]) == ("pending", AWAY.detail)
        assert {file["url"] for file in said["files"]} == {None}
        health = await state(client)
        assert (health["state"], health["error"]) == ("unavailable", AWAY.detail)
        assert health["spool"]["documents"] == 1
        assert health["spool"]["bytes"] == sum(file["size"] for file in said["files"])
        storage.trouble = None
        assert {await storage.stored.get(), await storage.stored.get()} == {f["key"] for f in said["files"]}
        await until_empty(client)
        assert (await state(client))["state"] == "ready"
        assert (await stored_by(client))["status"] == "stored"


async def until_empty(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await state(client))["spool"]["documents"]:
            await asyncio.sleep(0.02)


async def test_nobody_waits_for_a_storage_that_is_known_to_be_away(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    patient = {"ocr_output_dir": tmp_path, "ocr_store_timeout": 20}
    async with serving(ScriptedEngine(), storage, **patient) as client:
        await stored_by(client)
        # From here on it hangs: whoever tries it waits.
        storage.gate.clear()
        async with asyncio.timeout(10):
            said = await asyncio.gather(*(stored_by(client) for _ in range(5)))
        assert {one["status"] for one in said} == {"pending"}
        storage.trouble = None
        storage.gate.set()
        await until_empty(client)
    assert len(storage.objects) == 12


async def test_refusal_waits_too_as_somebody_may_mend_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = MemoryStorage(REFUSED)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path) as client:
        said = [await stored_by(client) for _ in range(3)]
        assert {(one["status"], one["error"]) for one in said} == {("pending", REFUSED.detail)}
        assert (await state(client))["state"] == "refused"
        storage.trouble = None
        await until_empty(client)
    told = [record.getMessage() for record in caplog.records if "storage refused" in record.getMessage()]
    assert told == [f"storage refused: {REFUSED.detail}"]


async def test_storage_that_hangs_is_waited_for_as_long_as_is_set(tmp_path: Path) -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.2) as client:
        said = await stored_by(client)
        assert (said["status"], said["error"]) == ("pending", "The storage took more than 0.2 seconds.")
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 1, "also after the service has ended"


async def test_where_the_spool_is_full_the_answer_says_so(tmp_path: Path) -> None:
    storage = MemoryStorage(AWAY)
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_spool_max_mb=1) as client:
        large = small_png() + os.urandom(700_000)
        said = []
        for _ in range(2):
            answer = await client.post("/ocr", files={"file": large}, data={"store_source": "true"})
            said.append(answer.raise_for_status().json()["storage"])
        assert [one["status"] for one in said] == ["pending", "failed"]
        assert said[1]["error"] == f"{AWAY.detail} The spool is full: its limit is 1 MiB."
        assert said[1]["files"] == []
        storage.trouble = None
        await until_empty(client)


async def test_without_a_spool_it_fails_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(ScriptedEngine(), MemoryStorage(REFUSED)) as client:
        said = [await stored_by(client) for _ in range(3)]
        assert (await state(client))["spool"] is None
    assert {(one["status"], one["error"]) for one in said} == {("failed", REFUSED.detail)}
    assert caplog.text.count("storage refused") == 1


async def test_what_nobody_expected_is_not_the_callers_matter() -> None:
    async with serving(ScriptedEngine(), MemoryStorage(RuntimeError("secret"))) as client:
        answer = await ask(client)
    assert answer.json()["text"] == "page 1"
    assert answer.json()["storage"]["status"] == "failed"
    assert "secret" not in answer.text


async def test_caller_that_leaves_stops_nothing() -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage) as client:
        asking = asyncio.create_task(ask(client, NDJSON))
        for _ in range(2):
            await storage.put_begun.get()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        storage.gate.set()
        await storage.stored.get()
        await storage.stored.get()


async def test_service_that_ends_spools_what_is_under_way(tmp_path: Path) -> None:
    storage = MemoryStorage()
    storage.gate.clear()
    async with serving(ScriptedEngine(), storage, ocr_output_dir=tmp_path, ocr_store_timeout=0.5) as client:
        asking = asyncio.create_task(ask(client, NDJSON))
        await storage.put_begun.get()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 1
    assert storage.closed
