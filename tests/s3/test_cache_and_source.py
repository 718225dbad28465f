"""A real bucket as the cache's second level, and as a source of documents."""

import uuid

import httpx
import pytest

from s3_storage import S3Storage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.s3.stores import BUCKET, Store
from tests.s3.using import storage_of
from tests.samples import small_png

pytestmark = pytest.mark.anyio

_MAX_REPLICAS = 8


async def test_replica_uses_the_result_of_another_replica(store: Store) -> None:
    # A unique document, because the bucket outlives the test.
    document = small_png() + uuid.uuid4().bytes
    answers: list[httpx.Response] = []
    engines: list[ScriptedEngine] = []
    # A replica reads the document itself if the store takes more than a second, as on a busy machine.
    while len(engines) < _MAX_REPLICAS and not (answers and answers[-1].json()["cached"]):
        engines.append(ScriptedEngine())
        async with serving(engines[-1], storage_of(store), ocr_cache_lifetime=3600) as client:
            answers.append(await client.post("/ocr", files={"file": document}))
    assert len(answers) > 1
    assert answers[-1].json()["cached"]
    assert answers[0].json()["pages"] == answers[-1].json()["pages"]
    assert (len(engines[0].seen), len(engines[-1].seen)) == (1, 0)


async def test_document_is_read_from_the_bucket(store: Store, storage: S3Storage) -> None:
    key = f"сканы/{uuid.uuid4().hex} 1.png"
    await storage.put(key, small_png(), "image/png", {})
    async with serving(ScriptedEngine(), storage_of(store), ocr_max_upload_mb=1) as client:
        read, missing = [
            await client.post("/ocr", data={"image_url": f"s3://{BUCKET}/{name}", "store": "false"})
            for name in (key, f"{key}.not")
        ]
    assert read.status_code == 200, read.text
    assert (missing.status_code, missing.json()["code"]) == (424, "fetch_failed")


async def test_object_above_the_size_limit_is_refused(store: Store, storage: S3Storage) -> None:
    key = uuid.uuid4().hex
    await storage.put(key, bytes(2**20 + 1), "image/png", {})
    async with serving(ScriptedEngine(), storage_of(store), ocr_max_upload_mb=1) as client:
        answer = await client.post("/ocr", data={"image_url": f"s3://{BUCKET}/{key}", "store": "false"})
    assert answer.status_code == 413
