"""An in-memory storage that can fail, refuse requests or hang."""

import asyncio
from collections.abc import Mapping

from ocr_service.core.errors import TooManyBytes
from ocr_service.core.storage import StorageKind


class MemoryStorage:
    """trouble: error that every call raises while it is set. gate: event that every put waits for."""

    kind: StorageKind = "s3"
    bucket = "memory"
    prefix = "ocr/"

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.gate = asyncio.Event()
        self.gate.set()
        self.put_begun: asyncio.Queue[str] = asyncio.Queue()
        self.stored: asyncio.Queue[str] = asyncio.Queue()
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.metadata: dict[str, Mapping[str, str]] = {}
        self.closed = False

    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        self.put_begun.put_nowait(key)
        await self.gate.wait()
        self._fail()
        self.objects[key], self.types[key], self.metadata[key] = body, content_type, metadata
        self.stored.put_nowait(key)

    async def get(self, key: str, max_bytes: int | None = None) -> bytes | None:
        self._fail()
        found = self.objects.get(key)
        if found and max_bytes is not None and len(found) > max_bytes:
            raise TooManyBytes.beyond(max_bytes)
        return found

    async def delete(self, key: str) -> None:
        self._fail()
        self.objects.pop(key, None)

    async def delete_folder(self, folder: str) -> None:
        self._fail()
        for key in [key for key in self.objects if key.startswith(folder)]:
            del self.objects[key]

    async def url(self, key: str) -> str:
        return f"https://memory.example/{key}?signed"

    async def check(self) -> None:
        self._fail()

    async def close(self) -> None:
        self.closed = True

    def _fail(self) -> None:
        if self.trouble:
            raise self.trouble
