"""Storage in a local folder."""

import asyncio
import os
from pathlib import Path

import pytest

from ocr_service.core.errors import StorageError, StorageRefusal, TooManyBytes
from ocr_service.storage.local import LocalStorage

pytestmark = pytest.mark.anyio


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_object_is_stored_read_and_deleted(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "made")
    await storage.check()
    assert await storage.get("a/ключ № 1.md") is None
    await storage.put("a/ключ № 1.md", b"first", "text/markdown", {})
    await storage.put("a/ключ № 1.md", b"second", "text/markdown", {"engine": "x"})
    assert await storage.get("a/ключ № 1.md") == b"second"
    await storage.delete("a/ключ № 1.md")
    await storage.delete("a/ключ № 1.md")
    assert await storage.get("a/ключ № 1.md") is None
    await storage.close()


@pytest.mark.parametrize(
    "key", ["../outside", "a/../../outside", "/etc/outside", "a//b", "", "a/", ".", "a/./b", "a\0b"]
)
async def test_key_outside_the_folder_is_refused(tmp_path: Path, key: str) -> None:
    storage = LocalStorage(tmp_path / "inside")
    for call in (storage.put(key, b"x", "text/plain", {}), storage.get(key), storage.delete(key)):
        with pytest.raises(StorageRefusal, match="not a path below"):
            await call
    assert not names_in(tmp_path)


async def test_reader_never_sees_a_partial_object(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    bodies = [bytes([number]) * 3_000_000 for number in range(3)]
    await storage.put("key", bodies[0], "text/plain", {})

    async def write() -> None:
        for body in bodies * 5:
            await storage.put("key", body, "text/plain", {})

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await storage.get("key") in bodies
    await writing


async def test_folder_at_the_path_of_an_object_is_an_error(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put("a/b", b"x", "text/plain", {})
    with pytest.raises(StorageError, match="The output volume"):
        await storage.put("a", b"x", "text/plain", {})
    assert names_in(tmp_path) == ["a"]


async def test_old_objects_of_a_folder_are_deleted(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    for key in ("cache/aa/old", "cache/bb/new", "2026/01/01/old"):
        await storage.put(key, b"x", "text/plain", {})
    for key in ("cache/aa/old", "2026/01/01/old"):
        os.utime(tmp_path / key, (1, 1))
    assert await storage.prune("cache", older_than=60) == 1
    assert await storage.get("cache/aa/old") is None
    assert await storage.get("cache/bb/new") == await storage.get("2026/01/01/old") == b"x"
    assert await storage.prune("not there", older_than=60) == 0
    await storage.close()


async def test_object_beyond_the_size_limit_is_not_read(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put("a", b"1234", "text/plain", {})
    assert await storage.get("a", max_bytes=4) == b"1234"
    with pytest.raises(TooManyBytes):
        await storage.get("a", max_bytes=3)
    await storage.close()
