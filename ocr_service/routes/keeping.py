"""What is stored of a request's document, and how the answer says so."""

import asyncio
from collections.abc import Callable

from ocr_service.documents import DocumentResult
from ocr_service.packing import folder_of, metadata_of, pack, source_file
from ocr_service.parcels import DISABLED, Kept, Parcel
from ocr_service.rendering import DocumentAnswer
from ocr_service.request_context import request_id, unique_id
from ocr_service.routes.fields import OcrFields
from ocr_service.routes.service import Service
from ocr_service.routes.source import Source


def is_kept(service: Service, fields: OcrFields) -> bool:
    """Whether there is anything to do once a document is read."""
    return fields.store and service.storing.storage is not None


async def keep(
    service: Service,
    source: Source,
    fields: OcrFields,
    result: DocumentResult,
    answer: Callable[[], DocumentAnswer],
) -> Kept:
    """Store a document as its caller wants; waits no longer than the settings say.

    answer: makes the JSON answer, in a thread, where it is needed.
    """
    storage = service.storing.storage
    if not fields.store or storage is None:
        return DISABLED
    parcel = await asyncio.to_thread(_packed, service, source, fields, result, answer, storage.prefix)
    return await service.storing.keep(parcel)


def _packed(
    service: Service,
    source: Source,
    fields: OcrFields,
    result: DocumentResult,
    answer: Callable[[], DocumentAnswer],
    prefix: str,
) -> Parcel:
    return pack(
        folder_of(prefix, unique_id.get()),
        answer().to_store(),
        result.pages,
        source_file(source.data, source.name) if fields.store_source else None,
        metadata_of(source.data, service.pipeline.engine, request_id.get()),
    )
