"""The files of jobs: documents and pages, as objects of a storage."""

import asyncio
from collections.abc import Sequence

from ocr_service.core.documents import PageResult
from ocr_service.core.errors import JobsUnavailable, StorageError
from ocr_service.core.storage import Storage
from ocr_service.pipeline.page_format import page_from_bytes, page_to_bytes

_FOLDER = "jobs"
_BINARY, _ZLIB = "application/octet-stream", "application/zlib"
# Objects of one job that are read at a time.
_READS = 8


class JobFiles:
    """Each file can be written twice with the same bytes, so that two attempts do no harm."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def put_document(self, job_id: str, data: bytes) -> None:
        """Write the document; raises StorageError."""
        await self._storage.put(self._key(job_id, "document"), data, _BINARY, {})

    async def document(self, job_id: str) -> bytes | None:
        """Return the document; None if it is gone. Raises StorageError."""
        return await self._storage.get(self._key(job_id, "document"))

    async def put_page(self, job_id: str, page: PageResult) -> None:
        """Write a page; raises StorageError."""
        await self._put(self._key(job_id, f"page-{page.index}"), page)

    async def put_final(self, job_id: str, pages: Sequence[PageResult]) -> None:
        """Write the pages of a restructured document; raises StorageError."""
        for number, page in enumerate(pages):
            await self._put(self._key(job_id, f"final-{number}"), page)

    async def pages(self, job_id: str, numbers: Sequence[int]) -> Sequence[PageResult]:
        """Return pages, without those that are not there or damaged; raises JobsUnavailable."""
        return await self._get_all([self._key(job_id, f"page-{number}") for number in numbers])

    async def final(self, job_id: str, positions: Sequence[int]) -> Sequence[PageResult]:
        """Return pages of a restructured document, counted from 0; raises JobsUnavailable."""
        return await self._get_all([self._key(job_id, f"final-{position}") for position in positions])

    async def delete(self, job_id: str) -> None:
        """Delete all files of a job; raises StorageError."""
        await self._storage.delete_folder(self._key(job_id, ""))

    def _key(self, job_id: str, name: str) -> str:
        return f"{self._storage.prefix}{_FOLDER}/{job_id}/{name}"

    async def _put(self, key: str, page: PageResult) -> None:
        data = await asyncio.to_thread(page_to_bytes, page)
        await self._storage.put(key, data, _ZLIB, {})

    async def _get_all(self, keys: Sequence[str]) -> Sequence[PageResult]:
        at_once = asyncio.Semaphore(_READS)

        async def get(key: str) -> PageResult | None:
            async with at_once:
                data = await self._storage.get(key)
            try:
                return await asyncio.to_thread(page_from_bytes, data) if data else None
            except ValueError:
                return None

        try:
            found = await asyncio.gather(*map(get, keys))
        except StorageError as error:
            raise JobsUnavailable(error.detail) from None
        return [page for page in found if page]
