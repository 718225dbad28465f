"""What is stored of a request's document, and how the answer says so."""

import asyncio
from collections.abc import Callable

from ocr_service.api.openapi import STORAGE_FOLDER, STORAGE_STATUS
from ocr_service.api.reading import Asked
from ocr_service.core.documents import DocumentResult
from ocr_service.storage.packing import folder_of, metadata_of, pack, source_file
from ocr_service.storage.parcels import DISABLED, Kept, Parcel
from ocr_service.telemetry.request_context import record, request_id, unique_id


async def keep(asked: Asked, result: DocumentResult, result_json: Callable[[], str]) -> Kept:
    """Store a document as its caller wants; waits no longer than the settings say.

    result_json: renders the JSON; called in a thread, only if it is needed.
    """
    kept = DISABLED
    if asked.is_kept:
        kept = await asked.service.storing.keep(await asyncio.to_thread(_packed, asked, result, result_json))
    record.get().storage = kept.status.value
    return kept


def headers_of(kept: Kept) -> dict[str, str]:
    """Tell in headers what a JSON answer has in its `storage`."""
    headers = {STORAGE_STATUS: kept.status.value}
    return headers if kept.folder is None else {**headers, STORAGE_FOLDER: kept.folder}


def _packed(asked: Asked, result: DocumentResult, result_json: Callable[[], str]) -> Parcel:
    source, storage = asked.source, asked.service.storing.storage
    assert storage is not None
    return pack(
        folder_of(storage.prefix, unique_id.get()),
        result_json(),
        result.pages,
        source_file(source.data, source.name) if asked.fields.store_source else None,
        metadata_of(asked.job.sha256, asked.service.pipeline.engine, request_id.get()),
    )
