"""Documents by their S3 URL."""

from typing import Any

import pytest

from ocr_service.core.errors import StorageOutage
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

KEY = "сканы/page 1?#.png"


@pytest.fixture
def storage() -> MemoryStorage:
    """The bucket "memory"; the service stores results with the prefix "ocr/"."""
    storage = MemoryStorage()
    storage.objects = {
        KEY: small_png(),
        "ocr/2026/01/01/id/source.png": small_png(),
        "large": b"x" * 2**20 + b"x",
    }
    storage.objects["empty"] = b""
    return storage


async def test_document_in_the_bucket_is_read(storage: MemoryStorage) -> None:
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", data={"image_url": f"s3://memory/{KEY}", "store_source": "true"})
    assert answer.status_code == 200 and answer.json()["text"] == "page 1"
    assert any("page 1" in file["key"] for file in answer.json()["storage"]["files"])


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("s3://memory/missing", 424, "fetch_failed"),
        ("s3://other/page.png", 422, "url_not_allowed"),
        ("s3://memory/", 422, "url_not_allowed"),
        ("s3://memory", 422, "url_not_allowed"),
        ("s3://memory/ocr/2026/01/01/id/source.png", 422, "url_not_allowed"),
        ("s3://memory/x/../ocr/2026/01/01/id/source.png", 422, "url_not_allowed"),
        ("s3://memory/./ocr/2026/01/01/id/source.png", 422, "url_not_allowed"),
        ("s3://memory//ocr/2026/01/01/id/source.png", 422, "url_not_allowed"),
        ("s3://memory/scans/", 422, "url_not_allowed"),
        ("s3://memory/large", 413, "too_many_bytes"),
        ("s3://memory/empty", 422, "empty_file"),
        ("s3:xxmemory/large", 422, "url_not_allowed"),
        ("s3://[", 422, "url_not_allowed"),
    ],
)
async def test_object_that_cannot_be_read_is_an_error(
    storage: MemoryStorage, url: str, status: int, code: str
) -> None:
    async with serving(ScriptedEngine(), storage, ocr_max_upload_mb=1) as client:
        answer = await client.post("/ocr", data={"image_url": url})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("body", ["data", "json"])
@pytest.mark.parametrize(("key", "pages"), [("page.pdf", 1), ("page.pdf ", 2)])
async def test_space_at_the_end_of_a_key_is_a_part_of_it(
    storage: MemoryStorage, body: str, key: str, pages: int
) -> None:
    storage.objects["page.pdf"] = pdf_of_text(["a"], size=(100, 100))
    storage.objects["page.pdf "] = pdf_of_text(["a", "b"], size=(100, 100))
    request: dict[str, Any] = {body: {"image_url": f" s3://memory/{key}"}}
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", **request)
    assert len(answer.json()["pages"]) == pages


async def test_s3_source_can_be_disabled(storage: MemoryStorage) -> None:
    async with serving(ScriptedEngine(), storage, ocr_url_s3=False) as client:
        answer = await client.post("/ocr", data={"image_url": f"s3://memory/{KEY}"})
    assert (answer.status_code, answer.json()["code"]) == (422, "url_not_allowed")


async def test_s3_url_without_a_bucket_is_refused() -> None:
    async with serving(ScriptedEngine()) as client:
        answer = await client.post("/ocr", data={"image_url": f"s3://memory/{KEY}"})
    assert (answer.status_code, answer.json()["code"]) == (422, "url_not_allowed")


async def test_storage_outage_is_reported(storage: MemoryStorage) -> None:
    storage.trouble = StorageOutage("The object storage cannot be reached.")
    async with serving(ScriptedEngine(), storage) as client:
        answer = await client.post("/ocr", data={"image_url": f"s3://memory/{KEY}", "store": "false"})
    assert answer.status_code == 424
    assert answer.json()["detail"] == "The object storage cannot be reached."


@pytest.mark.parametrize(
    "url",
    ["http://[", "http://[::1", "http://user@[x]/", "https://user:hidden-word@ex\u2100mple.com/x", "//", ":"],
)
async def test_invalid_url_is_refused_and_not_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with serving(ScriptedEngine()) as client:
        answer = await client.post("/ocr", data={"image_url": url})
    assert answer.status_code in (422, 424)
    assert "hidden-word" not in caplog.text + answer.text
